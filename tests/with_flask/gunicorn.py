"""Start gunicorn as it is started in production, on a free port."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

__all__ = ["gunicorn"]

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def gunicorn(*options: str, **environment: str) -> Generator[str]:
    """Serve `gunicorn_application` and yield its address."""
    command = [
        sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", *options,
        "tests.with_flask.gunicorn_application:create_app()",
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        log: list[str] = []
        try:
            for line in process.stderr:
                log.append(line)
                if found := re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", line):
                    break
            else:
                raise AssertionError("gunicorn did not start:\n" + "".join(log))
            yield found[1]
        finally:
            process.terminate()
            process.stderr.read()
