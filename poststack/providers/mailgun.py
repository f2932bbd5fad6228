"""Mailgun's messages, version 3 (Mailgun API reference, "Messages").

Everything is a form with files. Mailgun's batches carry one content to many people, each of whom sees nobody else; the
switch for that is `recipient-variables`, an object for every recipient. Without it all recipients see each other.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote, urlsplit

import idna

from poststack._wire import parse_retry_after
from poststack.providers._grouping import grouped
from poststack.providers._http import failure_from, json_bytes, json_object
from poststack.providers._multipart import FormFile, multipart
from poststack.providers._substitution import SUBSTITUTIONS, filled_in, texts_of
from poststack.providers.base import Call, HttpProvider, SecretHeaders, required
from poststack.providers.capabilities import Capabilities, Unsupported, taken_options
from poststack.providers.outcome import Failure, Outcome
from poststack.transports.base import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence
    from datetime import datetime

    from poststack.providers.message import Message
    from poststack.providers.outcome import FailureKind
    from poststack.transports.base import HttpResponse

__all__ = ["Mailgun"]

HOSTS: Final = {"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
MOST_RECIPIENTS: Final = 1000
"""Of one request."""
LARGEST_MESSAGE: Final = 18_000_000
"""Bytes before encoding: base64 makes 25 MB of them, which is the limit."""
LARGEST_REQUEST: Final = 50_000_000
"""Bytes; the limit is 52.4 MiB."""
LARGEST_PARAMETERS: Final = 16_000
"""Bytes of names and values of everything that is no content: options, headers, metadata, variables."""
LONGEST_TAG: Final = 128
_MAPPED: Final = frozenset(
    {
        "attachment", "bcc", "cc", "from", "html", "inline", "o:deliverytime", "o:tag", "o:tracking-opens", "subject",
        "t:variables", "template", "text", "to",
    }
)  # fmt: skip
_PLACEHOLDER: Final = re.compile(
    r"%(recipient([._][^%\r\n]{0,100})?|(tag_|mailing_list_)?unsubscribe_(url|email))%", re.IGNORECASE
)
_TRY_AGAIN_AFTER: Final = re.compile(
    r"try again after\s+(\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d(?: (?:[A-Z]{2,4}|[+-]\d{4}))?)", re.IGNORECASE
)
# What stands between quotation marks in the head of a part, and is read differently from server to server.
_UNQUOTABLE: Final = re.compile(r'["\\]')

Form = list[tuple[str, str]]


class Mailgun(HttpProvider):
    """Sends through Mailgun.

    The sending domain is in `endpoint`, as `https://api.mailgun.net/v3/mg.example.org`, or it is `domain`, with
    `region="eu"` for domains in the European Union. `tag_limit` and `schedule_days` depend on the plan. `batch_size` is
    for new accounts, which may not send large batches yet; with 1 each e-mail travels alone. `batch_templates` lets
    e-mails of one template travel together although their variables differ: Mailgun then writes the values in after it
    has filled the template, so a template that tests or escapes them comes out wrong; one that prints them is fine.
    `test_mode` has everything accepted and nothing delivered; Mailgun charges for that, too.

    Mailgun fills in `%recipient.…%` and `%unsubscribe_url%` wherever they stand. A text with such a placeholder is
    refused, unless the e-mail says `options={"mailgun": {"substitutions": True}}`. The name of an inline image is its
    content id, for Mailgun has one place for both.
    """

    name = "mailgun"
    title = "Mailgun"
    capabilities = Capabilities(recipients=MOST_RECIPIENTS, size=LARGEST_MESSAGE, tags=3, scheduling=timedelta(days=3))

    def __init__(
        self,
        *,
        api_key: str,
        endpoint: str | None = None,
        domain: str | None = None,
        region: str | None = None,
        tag_limit: int = 3,
        schedule_days: int = 3,
        batch_size: int = MOST_RECIPIENTS,
        batch_templates: bool = False,
        test_mode: bool = False,
    ) -> None:
        if tag_limit < 0 or schedule_days < 0 or not 1 <= batch_size <= MOST_RECIPIENTS:
            raise ValueError(
                f"Mailgun's `tag_limit` and `schedule_days` are at least 0, `batch_size` is 1 to {MOST_RECIPIENTS}."
            )
        self._url = f"{_base(endpoint, domain, region)}/messages"
        self.capabilities = replace(self.capabilities, tags=tag_limit, scheduling=timedelta(days=schedule_days))
        self._batch_size = batch_size
        self._batch_templates = batch_templates
        self._test_mode = test_mode
        key = base64.b64encode(f"api:{required(api_key, 'api_key', self.title)}".encode()).decode("ascii")
        self._headers = SecretHeaders({"Accept": "application/json", "Authorization": f"Basic {key}"})

    def unsupported(self, message: Message, now: datetime | None = None) -> Iterator[Unsupported]:
        """Yield what the message says and Mailgun cannot."""
        yield from super().unsupported(message, now)
        yield from taken_options(message, _taken(message))
        if any(_form_values(value) is None for value in message.options.values()):
            yield Unsupported("options", "has no place for None, and for lists of anything but values")
        if message.template_id is not None and message.html:
            yield Unsupported("body", "takes no HTML beside a template", replace(message, html=None))
        if any(not tag.isascii() or len(tag) > LONGEST_TAG for tag in message.tags):
            yield Unsupported("tags", f"takes tags of at most {LONGEST_TAG} characters, all of them ASCII")
        both = sorted(message.metadata.keys() & message.variables.keys())
        if both:
            kept = {key: value for key, value in message.metadata.items() if key not in both}
            yield Unsupported("metadata", "fills templates with it, and a variable has the same name",
                              replace(message, metadata=kept))  # fmt: skip
        yield from _unquotable(message)
        texts = [*texts_of(message), *_other_texts(message)]
        yield from filled_in(message, _PLACEHOLDER, "%", "'%recipient.name%' or '%unsubscribe_url%'", texts)
        yield from _too_much(message, _parameters(message))

    def plan(self, messages: Sequence[Message]) -> list[Call[HttpRequest]]:
        """Return the calls: e-mails that are the same but for their one recipient together, others alone."""
        # Mailgun's batches are keyed by address, so an address has to be the only one of its kind in a batch.
        alike: Counter[tuple[Hashable, str]] = Counter()

        def key(message: Message) -> Hashable:
            content = self._content_key(message)
            place = (content, message.to[0].email.lower())
            alike[place] += 1
            return content, alike[place]

        groups = grouped(messages, key, most=self._batch_size, largest=LARGEST_REQUEST)
        return [Call(self._request(group), group, separable=len(group) > 1) for group in groups]

    def outcomes(self, call: Call[HttpRequest], answer: HttpResponse, now: float) -> list[Outcome]:
        """Return the same for all messages of the request: Mailgun gives it one id, and refuses it as a whole."""
        said = json_object(answer.body)
        message_id, message = said.get("id"), said.get("message")
        queued = isinstance(message, str) and message.lstrip().lower().startswith("queued")
        if answer.status == 200 and queued and isinstance(message_id, str) and message_id.strip("<> "):
            details = {"status_code": answer.status, "message": message}
            return [Outcome(message_id.strip("<> "), details=details) for _ in call.messages]
        failure = self._refusal(answer, message, now)
        return [Outcome(failure=failure) for _ in call.messages]

    def _refusal(self, answer: HttpResponse, message: object, now: float) -> Failure:
        text = message if isinstance(message, str) and message else _plain_text(answer.body)
        kind: FailureKind | None = None
        retry_after: float | None = None
        if answer.status == 200 and "mailgun magnificent api" in text.lower():
            kind, text = "sender_not_verified", f"{text}: the address of the API is wrong. Check `endpoint` or `domain`"
        elif answer.status == 404:
            kind, text = "sender_not_verified", f"{text} (a domain in the other region is not found: set `region`)"
        elif answer.status in {420, 429}:
            kind = "rate_limited"
            found = _TRY_AGAIN_AFTER.search(text)
            retry_after = parse_retry_after(found[1], now) if found else None
        elif answer.status == 400:
            kind = _kind_of_400(text.lower())
        return failure_from(answer, now, title=self.title, kind=kind, message=text, retry_after=retry_after)

    def _content_key(self, message: Message) -> Hashable:
        """Return what is the same for all e-mails of one batch: all but the recipient."""
        texts = [text for _, text in texts_of(message)]
        # In a batch Mailgun looks for this in all texts, also where it is no whole placeholder.
        if len(message.recipients) > 1 or message.options or any("%recipient" in text.lower() for text in texts):
            return id(message)
        variables: Hashable = None
        if message.variables:
            apart = self._batch_templates and _is_simple(message.variables)
            variables = frozenset(message.variables) if apart else json_bytes(message.variables)
        return (
            *texts,
            message.sender,
            message.reply_to,
            message.headers,
            message.tags,
            tuple(message.metadata.items()),
            message.attachments,
            message.template_id,
            message.subject is None,
            variables,
            message.scheduled_at,
            message.track_opens,
            message.track_clicks,
        )

    def _request(self, group: Sequence[Message]) -> HttpRequest:
        first = group[0]
        form: Form = [("from", str(first.sender))]
        form += [("to", str(address)) for message in group for address in message.to]
        form += [("cc", str(address)) for address in first.cc]
        form += [("bcc", str(address)) for address in first.bcc]
        contents = (("subject", first.subject), ("text", first.text), ("html", first.html))
        form += [(name, value) for name, value in contents if value]
        if first.template_id is not None:
            form.append(("template", first.template_id))
        if len(group) > 1:
            differ = any(message.variables != first.variables for message in group)
            # An empty object is what makes a batch of it, and hides the recipients from each other.
            own = {message.to[0].email: dict(message.variables) if differ else {} for message in group}
            form.append(("recipient-variables", json_bytes(own).decode()))
            if differ:
                first = replace(first, variables={key: f"%recipient.{key}%" for key in first.variables})
        form += _parameters(first)
        if self._test_mode and "o:testmode" not in first.options:
            form.append(("o:testmode", "yes"))
        for name, value in first.options.items():
            if name != SUBSTITUTIONS:
                form += [(name, text) for text in _form_values(value) or ()]
        files = [
            FormFile("attachment", file.filename, file.content_type, file.content)
            if file.content_id is None
            else FormFile("inline", file.content_id, file.content_type, file.content)
            for file in first.attachments
        ]
        media_type, body = multipart(form, files)
        return HttpRequest("POST", self._url, SecretHeaders({**self._headers, "Content-Type": media_type}), body)


def _base(endpoint: str | None, domain: str | None, region: str | None) -> str:
    if (endpoint is None) == (domain is None) or (endpoint is not None and region is not None):
        raise ValueError("Mailgun needs `endpoint`, with the sending domain in it, or `domain` and perhaps `region`.")
    if domain is not None:
        if region not in {None, *HOSTS}:
            raise ValueError("Mailgun's `region` is 'us' or 'eu'.")
        text = domain.strip()
        if not text or not re.fullmatch(r"[^\s/\\?#@:]+", text):
            raise ValueError("Mailgun's `domain` is a domain such as 'mg.example.org', without a scheme and a path.")
        try:
            ascii_domain = text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
        except idna.IDNAError:
            raise ValueError("Mailgun's `domain` cannot be written in ASCII.") from None
        return f"{HOSTS[region or 'us']}/v3/{quote(ascii_domain, safe='')}"
    base = required(endpoint, "endpoint", Mailgun.title).rstrip("/")
    parts = urlsplit(base)
    last = parts.path.rpartition("/")[2]
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
        raise ValueError("Mailgun's `endpoint` is an address such as 'https://api.mailgun.net/v3/mg.example.org'.")
    if last in {"", "v3", "messages"}:
        raise ValueError("Mailgun's `endpoint` ends with the sending domain; `/messages` is appended to it.")
    return base


def _parameters(message: Message) -> Form:
    """Return what is not content and may have 16 kB in all."""
    form: Form = []
    if message.reply_to:
        form.append(("h:Reply-To", ", ".join(str(address) for address in message.reply_to)))
    form += [(f"h:{name}", value) for name, value in message.headers]
    form += [("o:tag", tag) for tag in message.tags]
    form += [(f"v:{key}", value) for key, value in message.metadata.items()]
    if message.variables:
        form.append(("t:variables", json_bytes(message.variables).decode()))
    if message.scheduled_at is not None:
        form.append(("o:deliverytime", format_datetime(message.scheduled_at.astimezone(timezone.utc))))
    for name, wanted in (("o:tracking-opens", message.track_opens), ("o:tracking-clicks", message.track_clicks)):
        if wanted is not None:
            form.append((name, "yes" if wanted else "no"))
    return form


def _too_much(message: Message, parameters: Form) -> Iterator[Unsupported]:
    sizes: Counter[str] = Counter()
    for name, value in parameters:
        sizes[name[:2]] += len(name.encode()) + len(value.encode())
    for name, value in message.options.items():
        sizes["options"] += sum(len(name.encode()) + len(text.encode()) for text in _form_values(value) or ())
    if sizes.total() > LARGEST_PARAMETERS:
        largest = sizes.most_common(1)[0][0]
        field = {"h:": "headers", "v:": "metadata", "t:": "template_data", "o:": "tags"}.get(largest, "options")
        reason = f"takes {LARGEST_PARAMETERS:,} bytes of headers, metadata, variables and options together"
        yield Unsupported(field, reason)


def _unquotable(message: Message) -> Iterator[Unsupported]:
    if any(_UNQUOTABLE.search(name) for name, _ in message.headers):
        yield Unsupported("headers", "takes no names with quotation marks and backslashes")
    if any(_UNQUOTABLE.search(key) for key in message.metadata):
        yield Unsupported("metadata", "takes no names with quotation marks and backslashes")
    if any(_UNQUOTABLE.search(file.filename) for file in message.attachments):
        files = tuple(file._replace(filename=_UNQUOTABLE.sub("_", file.filename)) for file in message.attachments)
        reason = "takes no file names with quotation marks and backslashes"
        yield Unsupported("attachments", reason, replace(message, attachments=files))
    if any(_UNQUOTABLE.search(file.content_id or "") for file in message.attachments):
        yield Unsupported("attachments", "takes no content ids with quotation marks and backslashes")


def _other_texts(message: Message) -> Iterator[tuple[str, str]]:
    yield "from_email", message.sender.name
    for address in message.recipients:
        yield "to", address.name
    for address in message.reply_to:
        yield "reply_to", address.name
    for _, value in message.headers:
        yield "headers", value
    for value in message.metadata.values():
        yield "metadata", value
    if message.variables:
        yield "template_data", json_bytes(message.variables).decode()


def _taken(message: Message) -> Iterator[str]:
    """Yield the options that have an argument of their own. `htmlonly`, of clicks, has none."""
    for name in message.options:
        folded = name.lower()
        clicks = folded == "o:tracking-clicks" and message.track_clicks is not None
        if clicks or folded in _MAPPED or folded.startswith(("h:", "v:")):
            yield name


def _form_values(value: object) -> list[str] | None:
    """Return what an option is in a form, a list as several values; `None` when a form has no way to say it."""
    if isinstance(value, (list, tuple)):
        values: list[str] = []
        for item in cast("Sequence[object]", value):
            found = None if isinstance(item, (list, tuple)) else _form_values(item)
            if found is None:
                return None
            values += found
        return values
    if value is None:
        return None
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return [value if isinstance(value, str) else json_bytes(value).decode()]


def _is_simple(variables: Mapping[str, Any]) -> bool:
    """Return whether variables mean the same when they are written into the finished text one by one."""
    return all(
        re.fullmatch(r"\w+", key, re.ASCII) is not None
        and isinstance(value, (str, int))
        and not isinstance(value, bool)
        and re.fullmatch(r'[^%"\\\x00-\x1f]+', str(value)) is not None
        for key, value in variables.items()
    )


def _kind_of_400(said: str) -> FailureKind | None:
    if "not a valid address" in said:
        # It names the parameter; a wrong sender is no recipient's fault.
        return "invalid_request" if re.match(r"\W*from\b", said) else "invalid_recipient"
    if "not allowed to send" in said:
        quota = ("limit", "exceeded", "disabled", "paused", "suspended")
        return "quota" if any(word in said for word in quota) else "sender_not_verified"
    return None


def _plain_text(body: bytes) -> str:
    """Return an answer that is a short plain text, as that of a wrong key is; an empty text for anything else."""
    text = body[:500].decode("utf-8", "replace").strip()
    return "" if text.startswith(("<", "{", "[")) else text
