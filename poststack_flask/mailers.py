"""Other providers: the mailer of an application, which sends nothing while the application is testing.

Everything that a MailBridge or a Failover sends goes through its `respond`, so that is where it is kept back, and where
the receivers of `email_sent` hear of it. While it is kept back, what the provider cannot say is refused all the same.
"""

from __future__ import annotations

import base64
import copy
import uuid
from typing import TYPE_CHECKING, Any, TypeVar, cast

from poststack.mailbridge import AsyncMailer, EmailResponseDTO, Mailer
from poststack.mailbridge.incoming import read_files
from poststack.mailbridge.outgoing import refused_response
from poststack_flask.sent import SentMessage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from poststack.mailbridge import EmailMessageDto
    from poststack.types import SendEmail
    from poststack_flask.outlet import Outlet

__all__ = ["KeptOpen", "at_work"]

MailerT = TypeVar("MailerT", Mailer, AsyncMailer)


def at_work(mailer: MailerT, outlet: Outlet) -> MailerT:
    """Return the mailer as one application has it. It is of the same class, and shares its connections."""
    base: type[Any] = type(mailer)
    ours: type[Any] = _AsyncAtWork if issubclass(base, AsyncMailer) else _AtWork
    own: Any = copy.copy(mailer)
    own.__class__ = type(base.__name__, (ours, base), {"__module__": base.__module__, "__doc__": base.__doc__})
    own._outlet = outlet
    return cast("MailerT", own)


class KeptOpen:
    """A transport that several mailers use, so that none of them closes it."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    async def asend(self, request: Any, /) -> Any:
        """Return the answer."""
        return await self._transport.asend(request)

    async def aclose(self) -> None:
        """Leave it open."""


class _AtWork(Mailer):
    _outlet: Outlet

    def respond(
        self, messages: Sequence[EmailMessageDto], *, timeout: float | None = None, **given: Any
    ) -> list[EmailResponseDTO]:
        outlet = self._outlet
        if outlet.suppressed:
            responses = _kept_back(self, messages, outlet.accepted_keys)
        else:
            # The class beside this one has what is abstract there.
            sender: Any = super()
            responses = sender.respond(messages, timeout=timeout, **given)
        if outlet.has_receivers:
            outlet.tell(_sent(self, messages, responses))
        return responses


class _AsyncAtWork(AsyncMailer):
    _outlet: Outlet

    async def respond(
        self, messages: Sequence[EmailMessageDto], *, timeout: float | None = None, **given: Any
    ) -> list[EmailResponseDTO]:
        outlet = self._outlet
        if outlet.suppressed:
            responses = _kept_back(self, messages, outlet.accepted_keys)
        else:
            sender: Any = super()
            responses = await sender.respond(messages, timeout=timeout, **given)
        if outlet.has_receivers:
            await outlet.atell(_sent(self, messages, responses))
        return responses


def _kept_back(
    mailer: Mailer | AsyncMailer, messages: Sequence[EmailMessageDto], accepted: dict[str, str]
) -> list[EmailResponseDTO]:
    """Return responses as if the provider had taken everything that it could."""
    provider = mailer.providers[0]
    responses: list[EmailResponseDTO] = []
    for message in messages:
        if (problem := mailer.problem(message)) is not None:
            responses.append(refused_response(problem, provider))
            continue
        made = f"test_{uuid.uuid4().hex}"
        known = made if message.idempotency_key is None else accepted.setdefault(message.idempotency_key, made)
        responses.append(EmailResponseDTO(True, known, provider, replayed=known is not made))
    return responses


def _sent(
    mailer: Mailer | AsyncMailer, messages: Sequence[EmailMessageDto], responses: Sequence[EmailResponseDTO]
) -> Iterator[SentMessage]:
    for message, response in zip(messages, responses, strict=True):
        if response.success:
            payload = _payload(message, mailer.from_email)
            yield SentMessage(response.message_id or "", payload, response.replayed, response.provider)


def _payload(message: EmailMessageDto, sender: str | None) -> SendEmail:
    """Return an e-mail in the words of the API, as far as those go."""
    bodies = (message.text, message.body) if message.html else (message.text or message.body, None)
    fields: dict[str, Any] = {
        "from": message.from_email or sender or "",
        "to": _listed(message.to),
        "cc": _listed(message.cc),
        "bcc": _listed(message.bcc),
        "reply_to": ", ".join(_listed(message.reply_to)),
        "subject": message.subject,
        "text": bodies[0],
        "html": bodies[1],
        "headers": dict(message.headers or {}),
        "tags": list(message.tags or ()),
        "template_id": message.template_id,
        "variables": dict(message.template_data or {}),
        "idempotency_key": message.idempotency_key,
        "scheduled_at": message.scheduled_at and message.scheduled_at.isoformat(),
        "attachments": [
            {
                "filename": file.filename,
                "content": base64.b64encode(file.content).decode("ascii"),
                "content_type": file.content_type,
                **({"content_id": file.content_id} if file.content_id is not None else {}),
            }
            for file in read_files(message)
        ],
    }
    return cast("SendEmail", {name: value for name, value in fields.items() if value})


def _listed(given: str | list[str] | None) -> list[str]:
    return [given] if isinstance(given, str) else list(given or ())
