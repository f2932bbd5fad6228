"""The two interpreters that are compared: each has one `poststack` and only what that one needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHED = "poststack==0.9.0"
SHOWN = (
    "poststack", "httpx", "httpcore", "h11", "anyio", "mailbridge", "aiohttp",
    "fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "httptools", "celery", "kombu", "redis",
)  # fmt: skip
MAILBRIDGE = "mailbridge[async]==2.1.1"
SERVED_WITH = ["fastapi>=0.115", "uvicorn>=0.30", "email-validator>=2.1", "celery[redis]>=5.7"]


@dataclass(frozen=True)
class Environment:
    """One interpreter."""

    name: str
    python: Path

    def run(self, program: Path, *arguments: str) -> str:
        """Return what a program prints, in a process of its own without this project on its path."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(self.python), "-I", str(program), *arguments]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        return run.stdout.strip()

    def start(self, program: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a program like that, with its standard input and output at hand."""
        command = [str(self.python), "-I", str(program), *arguments]
        complete = {**os.environ, **environment}
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=complete)

    def versions(self) -> dict[str, str]:
        """Return the versions of the distributions that matter."""
        listing = subprocess.run(
            [str(self.python), "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
            check=True, stdout=subprocess.PIPE, text=True,
        ).stdout  # fmt: skip
        found = {entry["name"]: entry["version"] for entry in cast("list[dict[str, str]]", json.loads(listing))}
        return {name: found[name] for name in SHOWN if name in found}


def environments(root: Path) -> tuple[Environment, Environment]:
    """Return this project's environment and the published SDK's, made in `.bench/` when they are missing."""
    folder = root / ".bench"
    ours = _environment("this project", folder / "ours", ["--editable", str(root)], stamp=root / "pyproject.toml")
    theirs = _environment("published SDK", folder / "published", [PUBLISHED], stamp=None)
    return ours, theirs


def mailbridge_environment(root: Path) -> Environment:
    """Return the environment of MailBridge, made when it is missing."""
    return _environment("MailBridge", root / ".bench" / "mailbridge", [MAILBRIDGE], stamp=None, served_with=[])


def _environment(
    name: str, folder: Path, what: list[str], *, stamp: Path | None, served_with: list[str] = SERVED_WITH
) -> Environment:
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    complete = folder / "complete"
    # Both are made by the same Python and stay until that or the dependencies change.
    what = [*what, *served_with]
    wanted = "\n".join([sys.version, *what, stamp.read_text("utf-8") if stamp else ""])
    if not complete.exists() or complete.read_text("utf-8") != wanted:
        print(f"Installing {name} into {folder.relative_to(folder.parent.parent)} …", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *what], check=True)
        complete.write_text(wanted, "utf-8")
    return Environment(name, python)
