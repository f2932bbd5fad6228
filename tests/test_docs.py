"""Every Python snippet of the README and the docs runs, against the emulator; every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])

pytestmark = pytest.mark.slow
# What the code of a page imports and is not installed everywhere.
NEEDED = {
    "tasks-saq.md": ("saq", "It has an environment of its own: nox -s arq"),
    "tasks-taskiq.md": ("taskiq_redis", "pip install taskiq-redis"),
    "tasks-dramatiq.md": ("dramatiq", "pip install 'dramatiq[redis]'"),
    "tasks-huey.md": ("huey", "pip install huey"),
}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if "```python" in path.read_text("utf-8")], ids=named)
def test_snippets_run(document: Path, emulator_url: str, tmp_path: Path) -> None:
    package, how = NEEDED.get(document.name, ("httpx", ""))
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed. {how}")
    # Each page is read by itself, and pages may use the same idempotency keys.
    httpx.delete(f"{emulator_url}/_emulator/emails", trust_env=False).raise_for_status()
    environment = {**os.environ, "POSTSTACK_API_KEY": "sk_test_docs", "POSTSTACK_BASE_URL": emulator_url}
    environment["PYTHONPATH"] = str(ROOT)  # Snippets write files where they run.
    environment["HUEY_FILE"] = str(tmp_path / "huey.sqlite3")

    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.docs_program", str(document)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"[1-9]\d* snippets", done.stdout)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text("utf-8"))

    missing = [target for target in targets if not (document.parent / target).exists()]
    assert missing == []
