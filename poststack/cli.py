"""The command `poststack`. Each of its commands is imported only when it runs, and reads its own arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Final, NamedTuple

__all__ = ["main"]


class _Command(NamedTuple):
    module: str
    """By its name: the packages of some import this one."""
    purpose: str


_COMMANDS: Final = {
    "emulator": _Command("poststack.emulator.command", "run the PostStack API on this machine, with an inbox"),
    "send-many": _Command("poststack.sending_many.command", "send the e-mails of a file, each once, whatever happens"),
    "tasks": _Command("poststack_tasks.cli", "list jobs that Celery or RQ gave up, and try them again"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, or 2 for what the user has to put right.

    Commands have further ones, which their help explains.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and (command := _COMMANDS.get(given[0])):
        run: Callable[[Sequence[str]], int] = import_module(command.module).main
        return run(given[1:])
    parser = _parser()
    parser.parse_args(given)
    parser.print_help()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="poststack", description="Tools for the PostStack e-mail API.")
    parser.add_argument("--version", action="version", version=f"poststack {version('poststack')}")
    # Only for the list: the arguments of each are known to whom they belong.
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in _COMMANDS.items():
        commands.add_parser(name, help=command.purpose, add_help=False)
    return parser


if __name__ == "__main__":
    sys.exit(main())
