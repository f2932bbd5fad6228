"""What a MailBridge and a Failover have in common: every way to send, built on one that answers for a list."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any

from poststack._checks import checked_batch
from poststack.mailbridge.closing import AsyncClosable
from poststack.mailbridge.dto import BulkEmailDTO, BulkEmailResponseDTO, EmailMessageDto, EmailResponseDTO
from poststack.mailbridge.errors import BulkInterruptedError
from poststack.mailbridge.incoming import AsyncWindows
from poststack.mailbridge.outgoing import batch_result, dto_from, refused_result, sent_email

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
    from datetime import datetime

    from poststack.mailbridge.dto import FileLike
    from poststack.mailbridge.errors import InvalidMessageError
    from poststack.mailbridge.keys import AsyncKeyStore
    from poststack.types import BatchAnswer, BatchEmails, BatchResult, SendEmail, SentEmail

__all__ = ["AsyncMailer", "AsyncMailerEmails"]


class AsyncMailer(AsyncClosable):
    """Sends e-mails."""

    @abstractmethod
    async def respond(
        self, messages: Sequence[EmailMessageDto], *, timeout: float | None = None
    ) -> list[EmailResponseDTO]:
        """Send each e-mail and return one response for each, in order. What goes wrong is a response, never raised."""

    @property
    @abstractmethod
    def providers(self) -> tuple[str, ...]:
        """Return the names of the providers that it sends through."""

    @property
    @abstractmethod
    def from_email(self) -> str | None:
        """Return the sender of e-mails that have none."""

    @property
    @abstractmethod
    def keys(self) -> AsyncKeyStore | None:
        """Return the store of idempotency keys that it was given."""

    @abstractmethod
    def problem(self, message: EmailMessageDto) -> InvalidMessageError | None:
        """Return what `respond` would find wrong with an e-mail before it sends it, `None` if nothing. Reads files."""

    @abstractmethod
    def minds_keys(self) -> bool:
        """Return whether an idempotency key keeps an e-mail from being sent twice, also after a lost answer."""

    @property
    def emails(self) -> AsyncMailerEmails:
        """Return what takes the payloads of the PostStack client, so that this can stand where one is expected."""
        return AsyncMailerEmails(self)

    async def send(
        self,
        to: str | list[str],
        subject: str | None = None,
        body: str | None = None,
        from_email: str | None = None,
        cc: str | list[str] | None = None,
        bcc: str | list[str] | None = None,
        reply_to: str | list[str] | None = None,
        attachments: Sequence[FileLike] | None = None,
        html: bool = True,
        headers: Mapping[str, str] | None = None,
        template_id: str | int | None = None,
        template_data: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        *,
        text: str | None = None,
        metadata: Mapping[str, str] | None = None,
        scheduled_at: datetime | None = None,
        idempotency_key: str | None = None,
        track_opens: bool | None = None,
        track_clicks: bool | None = None,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        timeout: float | None = None,
    ) -> EmailResponseDTO:
        """Send one e-mail. The arguments are the fields of `EmailMessageDto`; `timeout`, in seconds, is per attempt.

        Raises `InvalidMessageError` before anything is sent, and `EmailSendError` when the provider does not accept the
        e-mail or does not answer. Recipients that it refuses while it accepts others are in `refused` of the response.
        """
        message = EmailMessageDto(
            to, subject, body, from_email, cc, bcc, reply_to, attachments, html, headers, template_id, template_data,
            tags, text=text, metadata=metadata, scheduled_at=scheduled_at, idempotency_key=idempotency_key,
            track_opens=track_opens, track_clicks=track_clicks, options=options,
        )  # fmt: skip
        return await self.send_message(message, timeout=timeout)

    async def send_message(self, message: EmailMessageDto, *, timeout: float | None = None) -> EmailResponseDTO:
        """Send one e-mail that is at hand as an object. Raises as `send` does."""
        (response,) = await self.respond([message], timeout=timeout)
        return response.raise_for_failure()

    async def send_bulk(
        self,
        messages: Iterable[EmailMessageDto] | AsyncIterable[EmailMessageDto] | BulkEmailDTO,
        default_from: str | None = None,
        tags: list[str] | None = None,
        *,
        timeout: float | None = None,
    ) -> BulkEmailResponseDTO:
        """Send any number of e-mails and return one response for each, in order. A failure of one costs no other.

        `default_from` is the sender of those that have none, `tags` are added to those of each. Raises
        `BulkInterruptedError`, with the responses so far, when the iterable raises.
        """
        responses: list[EmailResponseDTO] = []
        answered = self.send_each(messages, default_from, tags, timeout=timeout)
        try:
            async for response in answered:
                responses.append(response)
        except Exception as error:
            text = f"The messages of the bulk ended with {type(error).__name__}; {len(responses)} were dealt with."
            raise BulkInterruptedError(text, responses) from error
        return BulkEmailResponseDTO.from_responses(responses)

    def send_each(
        self,
        messages: Iterable[EmailMessageDto] | AsyncIterable[EmailMessageDto] | BulkEmailDTO,
        default_from: str | None = None,
        tags: list[str] | None = None,
        *,
        timeout: float | None = None,
    ) -> AsyncIterator[EmailResponseDTO]:
        """Send any number of e-mails and return an iterator of the responses, in order; memory stays flat.

        At most 1000 e-mails, or 32 MiB of them, are taken from the iterable at a time. Between two responses nothing is
        under way, so leaving the loop leaves nothing behind.
        """
        return _AsyncResponses(self, AsyncWindows(messages, default_from, tags), timeout)


class _AsyncResponses:
    """No generator: one that is left in the middle would have to be closed by hand on an event loop."""

    def __init__(self, mailer: AsyncMailer, windows: AsyncWindows, timeout: float | None) -> None:
        self._mailer = mailer
        self._windows = windows
        self._timeout = timeout
        self._ready: deque[EmailResponseDTO] = deque()

    def __aiter__(self) -> _AsyncResponses:
        return self

    async def __anext__(self) -> EmailResponseDTO:
        if not self._ready:
            window = await self._windows.take()
            if not window:
                raise StopAsyncIteration
            self._ready.extend(await self._mailer.respond(window, timeout=self._timeout))
        return self._ready.popleft()


class AsyncMailerEmails:
    """Sends the payloads of the PostStack client, and answers and raises as that does."""

    def __init__(self, mailer: AsyncMailer) -> None:
        self._mailer = mailer

    def check(self, input: SendEmail) -> None:
        """Raise what `send` would raise before it sends anything: a `ValueError`."""
        if (error := self._mailer.problem(dto_from(input, self._mailer.providers))) is not None:
            raise error

    async def send(self, input: SendEmail, *, timeout: float | None = None) -> SentEmail:
        """Send one e-mail and return its id at the provider, or one made up here if that gave none.

        Raises `ValueError` before anything is sent, `PostStackError` when the provider does not accept it:
        `OutcomeUnknownError` if it may have been sent and no key would keep a repetition from doubling it.
        """
        message = dto_from(input, self._mailer.providers)
        (response,) = await self._mailer.respond([message], timeout=timeout)
        return sent_email(response, message, repeatable=self._repeatable(message))

    async def batch(self, input: BatchEmails, *, timeout: float | None = None) -> BatchAnswer:
        """Send 1 to 100 e-mails. Each succeeds or fails alone, in order."""
        emails = checked_batch(input)["emails"]
        results: dict[int, BatchResult] = {}
        messages: dict[int, EmailMessageDto] = {}
        for index, email in enumerate(emails):
            try:
                messages[index] = dto_from(email, self._mailer.providers)
            except ValueError as error:
                results[index] = refused_result(error)
        responses = await self._mailer.respond(list(messages.values()), timeout=timeout) if messages else []
        for (index, message), response in zip(messages.items(), responses, strict=True):
            results[index] = batch_result(response, message, repeatable=self._repeatable(message))
        return {"data": [results[index] for index in range(len(emails))]}

    def _repeatable(self, message: EmailMessageDto) -> bool:
        return message.idempotency_key is not None and self._mailer.minds_keys()
