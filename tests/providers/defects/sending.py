"""E-mails, and two ways to send them: with threads, and on an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from poststack.mailbridge import AsyncMailBridge, BulkEmailResponseDTO, EmailMessageDto, EmailResponseDTO, MailBridge
from tests.providers.contract import FAKES
from tests.providers.fakes.smtp import FakeSmtp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Self

    from tests.providers.fakes.base import Delivered

SENDER: Final = "Shop <shop@example.org>"


class Fake(Protocol):
    """What the fakes of HTTP providers and the mail server have in common."""

    delivered: list[Delivered]

    @property
    def connections(self) -> int: ...

    def settings(self) -> dict[str, Any]: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


HTTP: Final = tuple(name for name in FAKES if name != "smtp")
MAKERS: Final[dict[str, Callable[[], Fake]]] = {**FAKES, "smtp": FakeSmtp}


def mail(to: Any = "ada@example.net", **fields: Any) -> EmailMessageDto:
    """Return an e-mail that has what every e-mail needs."""
    given: dict[str, Any] = {"to": to, "subject": "Hi", "body": "<p>Hi</p>", **fields}
    return EmailMessageDto(**given)


def by_recipient(fake: Fake) -> dict[str, Delivered]:
    """Return what a fake took, by the address of the first recipient; each has got one e-mail only."""
    found = {one.to[0][1]: one for one in fake.delivered}
    assert len(found) == len(fake.delivered)
    return found


class Sender:
    """Sends in one of the two ways."""

    def __init__(self, way: Literal["threads", "asyncio"]) -> None:
        self.way = way

    def bulk(self, name: str, fake: Fake, messages: Iterable[EmailMessageDto], **settings: Any) -> BulkEmailResponseDTO:
        """Send many with `send_bulk`."""
        given: dict[str, Any] = {"from_email": SENDER, **fake.settings(), **settings}
        if self.way == "threads":
            with MailBridge(name, **given) as mailer:
                return mailer.send_bulk(messages)

        async def main() -> BulkEmailResponseDTO:
            async with AsyncMailBridge(name, **given) as mailer:
                return await mailer.send_bulk(messages)

        return asyncio.run(main())

    def one(self, name: str, fake: Fake, message: EmailMessageDto, **settings: Any) -> EmailResponseDTO:
        """Send one with `send_message`, which raises."""
        given: dict[str, Any] = {"from_email": SENDER, **fake.settings(), **settings}
        if self.way == "threads":
            with MailBridge(name, **given) as mailer:
                return mailer.send_message(message)

        async def main() -> EmailResponseDTO:
            async with AsyncMailBridge(name, **given) as mailer:
                return await mailer.send_message(message)

        return asyncio.run(main())
