"""The command `poststack emulator`. Imports the emulator's own packages only when it runs."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from poststack.emulator.core import Emulator

__all__ = ["main"]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def main(arguments: Sequence[str]) -> int:
    """Run the command and return the exit status: 0, or 2 for what the user has to put right."""
    return _emulator(_parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="poststack emulator",
        description="Run the PostStack API on this machine. Nothing is sent; the e-mails are in its inbox.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    # fmt: off
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=_port, default=8025, help="port to listen on, 0 for any free one")
    add("--data", metavar="FILE", help="keep everything in this SQLite file over restarts")
    add("--api-key", action="append", default=[], metavar="KEY",
        help="accept only this key (may be repeated); without it every sk_test_ key is accepted")
    add("--webhook", metavar="URL", help="send all events to this address")
    add("--webhook-secret", metavar="SECRET", help="sign them with this secret; without it one is made up")
    add("--max-emails", type=_positive, default=10_000, metavar="N", help="how many e-mails to keep")
    add("--rate-limit", type=_whole, default=0, metavar="N",
        help="requests a second that are answered for each key, the others with 429; 0 sets no limit")
    add("--workflow-sender", metavar="ADDRESS",
        help="from whom workflows send where a step has no `from`; without it each step needs one")
    add("--strict", action="store_true",
        help="refuse fields and query parameters that the API does not know, instead of warning of them")
    add("--allow-host", action="append", default=[], metavar="NAME",
        help="answer under this name, too (may be repeated); localhost and IP addresses always work")
    # fmt: on
    return parser


def _port(text: str) -> int:
    if not _is_whole(text) or int(text) > 65_535:
        raise argparse.ArgumentTypeError("a port is a whole number from 0 to 65535")
    return int(text)


def _positive(text: str) -> int:
    if not _is_whole(text) or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number, at least 1")
    return int(text)


def _whole(text: str) -> int:
    if not _is_whole(text):
        raise argparse.ArgumentTypeError("must be a whole number, at least 0")
    return int(text)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _emulator(options: argparse.Namespace) -> int:
    try:
        from poststack.emulator.core import Emulator
        from poststack.emulator.journal import DataFileError, SqliteJournal
        from poststack.emulator.serving import AddressError, listen, serve
        from poststack.emulator.settings import Settings
    except ImportError as error:
        return _complain(f'The emulator needs {error.name}: pip install "poststack[emulator]"')

    before = signal.signal(signal.SIGTERM, _stop)
    try:
        settings = Settings(
            api_keys=tuple(options.api_key),
            max_emails=options.max_emails,
            rate_limit=options.rate_limit,
            workflow_sender=options.workflow_sender,
            strict=options.strict,
        )
        listener = listen(options.host, options.port)
        try:
            emulator = Emulator(settings, journal=SqliteJournal(options.data) if options.data else None)
        except DataFileError:
            listener.close()
            raise
        try:
            secret = _webhook(emulator, options.webhook, options.webhook_secret)
            address = _address(options.host, listener.getsockname()[1])
            serve(
                emulator,
                listener,
                allowed_hosts=[*options.allow_host, options.host],
                on_ready=lambda: _announce(address, options, secret),
            )
        finally:
            listener.close()
            emulator.close()
    except KeyboardInterrupt:
        return 0
    except (AddressError, DataFileError, ValueError) as error:
        return _complain(str(error))
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _complain(problem: str) -> int:
    print(f"poststack: {problem}", file=sys.stderr)
    return 2


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host)  # noqa: S104  # shown, not bound
    return f"http://{shown or (f'[{host}]' if ':' in host else host)}:{port}"


def _webhook(emulator: Emulator, url: str | None, secret: str | None) -> str | None:
    """Register the webhook; return its secret when it was made up just now, and is to be shown."""
    if url is None:
        if secret is not None:
            raise ValueError("--webhook-secret needs --webhook.")
        return None
    if secret == "":
        raise ValueError("--webhook-secret must not be empty. Leave it out to have one made up and shown.")
    known = any(webhook.url == url for webhook in emulator.store.webhooks.all())
    webhook = emulator.add_webhook(url, ["*"], time.time(), secret=secret)
    return None if known or secret is not None else webhook.secret


def _announce(address: str, options: argparse.Namespace, secret: str | None) -> None:
    key = "<the key you gave>" if options.api_key else "sk_test_emulator"
    lines = [f"The PostStack emulator listens on {address}"]
    if options.host not in _LOOPBACK and not options.host.startswith("127."):
        lines += [
            "",
            "WARNING: it listens beyond this machine. Whoever reaches this port can read all mail",
            "and change it; an API key does not protect the inbox. Do so only in a network you trust.",
        ]
    lines += [
        "",
        "Point your application at it:",
        f"  export POSTSTACK_BASE_URL={address}",
        f"  export POSTSTACK_API_KEY='{key}'",
    ]
    if secret is not None:
        lines += [f"Webhooks are signed with the secret {secret}"]
    lines += [
        "",
        "Let the next send fail, or choose a fate by recipient (bounce@, complain@, defer@, fail@):",
        f"""  curl -X POST {address}/_emulator/faults -d '{{"status": 503, "path": "/emails", "times": 1}}'""",
        "",
        f"Inbox: {address}/inbox · E-mails are kept {_where(options)}. Stop with Ctrl-C.",
    ]
    print("\n".join(lines), flush=True)


def _where(options: argparse.Namespace) -> str:
    return f"in {options.data}" if options.data else "in memory; --data FILE keeps them"
