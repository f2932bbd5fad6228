"""The arguments of `poststack send-many`."""

from __future__ import annotations

import argparse
import math
from datetime import datetime
from typing import Final

from poststack._checks import LONGEST_KEY_PREFIX, may_be_key_prefix

__all__ = ["parser"]

_DESCRIPTION: Final = """\
Send the e-mails of a file, each once. A file of JSON Lines has one payload of the API in each line; a CSV has a header,
whose columns are fields of a payload (to, subject, …) or else variables of a template. What ends the program, Ctrl-C,
a crash or a used-up quota, leaves a journal beside the file: give the same command again and it goes on. E-mails that
failed are in FILE.failed.jsonl, which can be sent like any other file.
"""
_EPILOG: Final = """\
The API key is read from POSTSTACK_API_KEY, or from a file with --api-key-file; it is no option, because others can see
those. Exit status: 0 all were accepted, 1 some failed, 2 nothing more can be done before you have put something right,
130, 143, 129 interrupted by Ctrl-C, SIGTERM or SIGHUP.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    made = argparse.ArgumentParser(
        prog="poststack send-many",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    add = made.add_argument
    add("file", metavar="FILE", help="a .jsonl or .csv file in UTF-8; - is standard input")
    # fmt: off
    content = made.add_argument_group("what an e-mail has, unless its row says otherwise")
    add = content.add_argument
    add("--template", metavar="ID", help="the template, whose placeholders the variables fill")
    add("--from", dest="sender", metavar="ADDRESS", help="who sends it: 'Acme <hello@example.com>'")
    add("--subject", metavar="TEXT", help="its subject")
    add("--reply-to", metavar="ADDRESS", help="where answers go")
    add("--html", metavar="FILE", help="its HTML, from a file; {{name}} stands for a variable")
    add("--text", metavar="FILE", help="its plain text, from a file")
    add("--tag", action="append", default=[], metavar="TAG", help="a tag to find it by (may be repeated)")
    add("--scheduled-at", type=_moment, metavar="TIME", help="when it is sent: 2026-01-31T09:00:00Z")
    add("--unsubscribe", action="store_true", help="add a header to unsubscribe with one click")

    reading = made.add_argument_group("how the file is read")
    add = reading.add_argument
    add("--format", choices=("jsonl", "csv"), help="what it is; else its name says so")
    add("--delimiter", type=_delimiter, metavar="CHARACTER",
        help="what separates the columns of a CSV, \\t for a tab; else the header shows it")
    add("--allow-unfilled", action="store_true",
        help="also when a {{name}} in --subject, --html or --text has no column of a CSV; else nothing is sent")
    add("--dry-run", action="store_true", help="send nothing: read all of it, and tell what is wrong with which line")

    sending = made.add_argument_group("how it is sent")
    add = sending.add_argument
    add("--concurrency", type=_concurrency, default=4, metavar="N",
        help="calls at once, each with up to 100 e-mails (default: 4)")
    add("--rate-limit", type=_rate, metavar="N", help="at most so many calls a second")
    add("--retry-for", type=_seconds, default=60.0, metavar="SECONDS",
        help="how long what failed for a while, as when the API is away, is tried again (default: 60)")
    add("--keep-going", action="store_true",
        help="also when the first 100 e-mails are all refused for one reason, as an unverified domain; else it stops")
    add("--base-url", metavar="URL", help="the API's address; else POSTSTACK_BASE_URL, or the service")
    add("--api-key-file", metavar="FILE", help="read the API key from this file")

    again = made.add_argument_group("going on, and beginning anew")
    add = again.add_argument
    add("--key-prefix", type=_prefix, metavar="TEXT",
        help="idempotency keys are TEXT-0, TEXT-1, … where a row has none; else a random one is kept in the journal")
    add("--restart", action="store_true",
        help="forget the journal and send EVERYTHING AGAIN, also what was accepted, under new keys")
    add("--even-if-old", action="store_true",
        help="go on after more than 13 days, although e-mails that were under way then may be sent twice")
    add("--journal", metavar="FILE", help="where it keeps how far it is (default: FILE.poststack-journal)")
    add("--report", metavar="FILE", help="where the e-mails go that failed (default: FILE.failed.jsonl)")
    made.add_argument("-q", "--quiet", action="store_true", help="tell nothing but the end, and errors")
    # fmt: on
    return made


def _delimiter(text: str) -> str:
    found = "\t" if text in {"\\t", "tab"} else text
    if len(found) != 1 or found in '"\r\n ':
        raise argparse.ArgumentTypeError("must be one character such as ; and neither a quote nor a space")
    return found


def _moment(text: str) -> str:
    moment = text.strip()
    try:
        # fromisoformat reads the Z suffix only from Python 3.11 on.
        datetime.fromisoformat(moment[:-1] + "+00:00" if moment.endswith(("Z", "z")) else moment)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a date and time of ISO 8601 such as 2026-01-31T09:00:00Z") from None
    return moment


def _concurrency(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= 100):
        raise argparse.ArgumentTypeError("must be a whole number from 1 to 100")
    return int(text)


def _rate(text: str) -> float:
    return _number(text, above=0.0)


def _seconds(text: str) -> float:
    return _number(text, above=-1.0)


def _number(text: str, above: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (above < number < math.inf) or number < 0:
        raise argparse.ArgumentTypeError(f"must be a number, {'more than 0' if above == 0 else '0 or more'}")
    return number


def _prefix(text: str) -> str:
    if not may_be_key_prefix(text):
        raise argparse.ArgumentTypeError(
            f"must be 1 to {LONGEST_KEY_PREFIX} characters of printable ASCII, and not blank"
        )
    return text
