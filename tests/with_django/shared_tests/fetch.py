"""Django's own tests of mail backends: fetched when they are run, since Django is not ours to hand on.

Wheels do not contain them. The source distribution of the very version that is installed does.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import django

__all__ = ["NotFetchedError", "fetched"]

# `test_backends` exists since Django 6.1; the others import nothing else of Django's own tests.
NEEDED = frozenset({"__init__.py", "custombackend.py", "tests.py", "test_backends.py"})


class NotFetchedError(Exception):
    """The source distribution cannot be had; the text says why."""


def fetched(cache: Path) -> Path:
    """Return the folder to put on the import path: it contains the package `mail` of the Django that is installed."""
    version = django.get_version()
    folder = cache / version
    if folder.exists():
        return folder
    with TemporaryDirectory(dir=cache) as temporary:
        complete = Path(temporary) / "complete"
        _extract(_download(version, Path(temporary)), complete / "mail")
        try:
            complete.rename(folder)
        except OSError:
            if not folder.exists():  # Otherwise another process, fetching the same, was quicker.
                raise
    return folder


def _download(version: str, folder: Path) -> Path:
    # Through pip: it knows the index, the proxy and the certificates of whoever runs this.
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    what = ["--no-deps", "--no-binary", "django", "--dest", str(folder), f"django=={version}"]
    run = subprocess.run([*pip, *what], capture_output=True, text=True, check=False)
    if run.returncode:
        said = (run.stderr or run.stdout).strip().splitlines() or [f"pip ended with {run.returncode}"]
        raise NotFetchedError(f"the source distribution of Django {version} cannot be fetched: {said[-1]}")
    (archive,) = folder.glob("*.tar.gz")
    return archive


def _extract(archive: Path, package: Path) -> None:
    package.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            content = tar.extractfile(member) if path.parts[1:-1] == ("tests", "mail") else None
            if content is not None and path.name in NEEDED:
                (package / path.name).write_bytes(content.read())
