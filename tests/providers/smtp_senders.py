"""The same e-mails, sent over SMTP by threads and on asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, TypeAlias

from poststack.mailbridge import AsyncMailBridge, EmailMessageDto, EmailResponseDTO, MailBridge
from tests.providers.fakes.smtp import FakeSmtp

SENDER: Final = "shop@example.org"
Send: TypeAlias = "Callable[..., list[EmailResponseDTO]]"


def mails(count: int) -> list[EmailMessageDto]:
    return [EmailMessageDto(f"u{n}@example.net", f"For {n}", "<p>Hi</p>") for n in range(count)]


def settings(fake: FakeSmtp, given: dict[str, Any]) -> dict[str, Any]:
    return {"from_email": SENDER, "max_retries": 0, **fake.settings(), **given}


def kinds(responses: list[EmailResponseDTO]) -> list[str | None]:
    return [response.kind for response in responses]


def send_in_threads(fake: FakeSmtp, *bulks: Sequence[EmailMessageDto], **given: Any) -> list[EmailResponseDTO]:
    """Send each list of messages, one after the other, over one MailBridge, and return all responses."""
    between = given.pop("between", lambda: None)
    responses: list[EmailResponseDTO] = []
    with MailBridge("smtp", **settings(fake, given)) as mailer:
        for bulk in bulks:
            responses += mailer.send_bulk(bulk).responses
            between()
    return responses


def send_on_asyncio(fake: FakeSmtp, *bulks: Sequence[EmailMessageDto], **given: Any) -> list[EmailResponseDTO]:
    """Do the same on an event loop."""
    between = given.pop("between", lambda: None)

    async def main() -> list[EmailResponseDTO]:
        responses: list[EmailResponseDTO] = []
        async with AsyncMailBridge("smtp", **settings(fake, given)) as mailer:
            for bulk in bulks:
                responses += (await mailer.send_bulk(bulk)).responses
                between()
                await asyncio.sleep(0.01)
        return responses

    return asyncio.run(main())


SENDERS: Final[list[Send]] = [send_in_threads, send_on_asyncio]


@contextlib.contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connected, _ = server.accept()
                    with connected, contextlib.suppress(OSError):
                        serve(connected)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
