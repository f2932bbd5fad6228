"""The interpreters that are compared: each has one library and only what that one needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Environment", "Environments"]

PUBLISHED: Final = "poststack==0.9.0"
MAILBRIDGE: Final = "mailbridge[async]==2.1.1"
SERVED_WITH: Final = ["fastapi>=0.115", "uvicorn>=0.30", "email-validator>=2.1", "celery[redis]>=5.7"]
CLIENTS: Final = ("poststack", "resend", "mailbridge", "httpx", "httpcore", "aiohttp", "requests")
"""Distributions whose versions decide what is measured."""


@dataclass(frozen=True)
class Environment:
    """One interpreter."""

    name: str
    python: Path

    def run(self, program: Path, *arguments: str, given: str = "") -> str:
        """Return what a program prints, in a process of its own without this project on its path.

        `given` is its standard input.
        """
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(self.python), "-I", str(program), *arguments]
        run = subprocess.run(command, check=True, input=given, stdout=subprocess.PIPE, text=True, env=environment)
        return run.stdout.strip()

    def start(self, program: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a program like that, with its standard input and output at hand."""
        command = [str(self.python), "-I", str(program), *arguments]
        complete = {**os.environ, **environment}
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=complete)

    def versions(self, also: Sequence[str] = ()) -> dict[str, str]:
        """Return the versions of the clients that it has, and of other distributions."""
        listing = subprocess.run(
            [str(self.python), "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
            check=True, stdout=subprocess.PIPE, text=True,
        ).stdout  # fmt: skip
        found = {entry["name"]: entry["version"] for entry in cast("list[dict[str, str]]", json.loads(listing))}
        return {name: found[name] for name in (*CLIENTS, *also) if name in found}


class Environments:
    """All interpreters, each made in `.bench/` of the project's folder when it is first asked for and missing."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @cached_property
    def ours(self) -> Environment:
        """This project, with everything that it is measured in."""
        what = ["--editable", str(self._root), "aiohttp>=3.10", *SERVED_WITH]
        return self._made("this project", "ours", what, depends_on=self._root / "pyproject.toml")

    @cached_property
    def published(self) -> Environment:
        """The published SDK."""
        return self._made("published SDK", "published", [PUBLISHED, *SERVED_WITH])

    @cached_property
    def resend(self) -> Environment:
        """The newest SDK of Resend, which is of the same kind."""
        return self._made("resend", "resend", ["resend[async]"])

    @cached_property
    def mailbridge(self) -> Environment:
        """MailBridge."""
        return self._made("MailBridge", "mailbridge", [MAILBRIDGE])

    @cached_property
    def raw(self) -> Environment:
        """HTTP libraries by hand."""
        return self._made("by hand", "raw", ["httpx", "aiohttp"])

    def of_clients(self) -> list[Environment]:
        """Return those of all libraries that are compared."""
        return [self.ours, self.published, self.resend, self.mailbridge, self.raw]

    @cached_property
    def plotting(self) -> Environment:
        """What draws."""
        return self._made("plots", "plotting", ["matplotlib"])

    def _made(self, name: str, folder_name: str, what: list[str], *, depends_on: Path | None = None) -> Environment:
        folder = self._root / ".bench" / folder_name
        python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        complete = folder / "complete"
        # All are made by the same Python and stay until that or the dependencies change.
        wanted = "\n".join([sys.version, *what, depends_on.read_text("utf-8") if depends_on else ""])
        if not complete.exists() or complete.read_text("utf-8") != wanted:
            print(f"Installing {name} into {folder.relative_to(self._root)} …", flush=True)
            venv.create(folder, with_pip=True, clear=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *what], check=True)
            complete.write_text(wanted, "utf-8")
        return Environment(name, python)
