"""What an e-mail is expected to be when it has arrived, whatever the provider."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from poststack.mailbridge import EmailMessageDto, MailBridge
from tests.providers.fakes.base import Delivered, FakeProvider
from tests.providers.fakes.brevo import FakeBrevo
from tests.providers.fakes.mailgun import FakeMailgun
from tests.providers.fakes.postmark import FakePostmark
from tests.providers.fakes.poststack import FakePostStack
from tests.providers.fakes.sendgrid import FakeSendGrid
from tests.providers.fakes.ses import FakeSes

if TYPE_CHECKING:
    from collections.abc import Generator

FAKES: Final[dict[str, type[FakeProvider]]] = {
    "poststack": FakePostStack,
    "sendgrid": FakeSendGrid,
    "postmark": FakePostmark,
    "mailgun": FakeMailgun,
    "brevo": FakeBrevo,
    "ses": FakeSes,
}
SENDER: Final = ("Shop", "shop@example.org")


@contextmanager
def mailer_for(name: str, **settings: Any) -> Generator[tuple[MailBridge, FakeProvider]]:
    """Serve a fake and yield a mailer that sends to it."""
    with FAKES[name]() as fake, MailBridge(name, **{**fake.settings(), **settings}) as mailer:
        yield mailer, fake


def arrived(message: EmailMessageDto, files: list[tuple[str, bytes, str, str | None]]) -> dict[str, Any]:
    """Return what a fake should have taken of a message whose addresses are (name, address) already."""
    given: Any = message
    return {
        "to": given.to,
        "cc": given.cc or [],
        "bcc": given.bcc or [],
        "reply_to": given.reply_to or [],
        "subject": given.subject,
        "text": given.text if given.html else given.body,
        "html": given.body if given.html else None,
        "headers": dict(given.headers or {}),
        "tags": list(given.tags or []),
        "metadata": dict(given.metadata or {}),
        "attachments": files,
        "template_id": given.template_id,
        "variables": dict(given.template_data or {}),
        "scheduled_at": None if given.scheduled_at is None else int(given.scheduled_at.timestamp()),
        "track_opens": given.track_opens,
        "track_clicks": given.track_clicks,
    }


def told(delivered: Delivered, names: Any) -> dict[str, Any]:
    """Return the same of what a fake took. `names` are the headers that were asked for: there may be others."""
    wanted = {name.lower() for name in names}
    fields = {name: getattr(delivered, name) for name in arrived(EmailMessageDto("", "-", "-"), [])}
    fields["headers"] = {name: value for name, value in delivered.headers.items() if name.lower() in wanted}
    fields["attachments"] = sorted(delivered.attachments)
    return fields
