"""Amazon SES, version 2 of its API (SendEmail and SendBulkEmail), signed for each attempt.

E-mails travel as MIME bytes, which can say everything; those of stored templates as JSON, up to 50 in a request, each
with its own recipients and its own complete data. A request of SendBulkEmail is answered for each of its e-mails.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from poststack.providers._aws import CredentialsError, Keys, Signer, profile_keys, region_from
from poststack.providers._grouping import grouped
from poststack.providers._http import json_bytes
from poststack.providers._mime import header_address, header_text, header_value, mime_bytes, unsupported_in_mime
from poststack.providers._ses_answers import refused, taken, taken_each
from poststack.providers.base import Call, HttpProvider, required
from poststack.providers.capabilities import Capabilities, Unsupported, taken_options
from poststack.providers.outcome import Failure
from poststack.transports.base import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence
    from datetime import datetime

    from poststack._async.signing import AsyncSigningTransport
    from poststack._sync.signing import SigningTransport
    from poststack.providers._aws import FindsKeys
    from poststack.providers.base import AsyncRequestTransport, RequestTransport
    from poststack.providers.message import Address, Attachment, Message
    from poststack.providers.outcome import Outcome
    from poststack.transports.base import HttpResponse, TransportError

__all__ = ["Ses"]

SINGLE: Final = "/v2/email/outbound-emails"
BULK: Final = "/v2/email/outbound-bulk-emails"
MOST_RECIPIENTS: Final = 50
"""Of an e-mail, and, to be on the safe side, of a request of SendBulkEmail."""
MOST_ENTRIES: Final = 50
LARGEST_REQUEST: Final = 5_000_000
"""Bytes of template data in a request of SendBulkEmail; no limit is documented."""
LONGEST_DATA: Final = 262_144
"""Characters of one e-mail's template data, as JSON."""
MOST_HEADERS: Final = 15
"""Where they are listed, that is: in MIME there is no limit."""
LONGEST_HEADER_NAME: Final = 126
"""Characters, and so are these."""
LONGEST_VALUE: Final = 995
LONGEST_FILE_FIELDS: Final = (255, 78, 78)
"""Characters of a listed file's name, type and content id."""
LONGEST_WORD: Final = 900
"""Characters without a space of metadata, which is a header that can only be broken at spaces."""

_MAPPED: Final = (
    "BulkEmailEntries", "ConfigurationOverrides", "Content", "DefaultContent", "DefaultEmailTags", "Destination",
    "FromEmailAddress", "ReplyToAddresses",
)  # fmt: skip
_REPLACED: Final = frozenset({"date", "message-id"})
_TAG: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_SUFFIXES: Final = {"cn": "amazonaws.com.cn", "eusc": "amazonaws.eu"}


class Ses(HttpProvider):
    """Sends through Amazon SES. Needs the extra `ses`.

    Keys are, in this order: `aws_access_key_id` and `aws_secret_access_key`, with `aws_session_token` if they are
    temporary; what `credentials` returns, a function, also one to be awaited for AsyncMailBridge, that is called at the
    first e-mail and when AWS says that its keys have ended, and returns `(key id, secret)`,
    `(key id, secret, session token)` or an object of botocore's; or what botocore finds for `profile_name`, or in the
    environment. `region_name` is that of the argument, of AWS_REGION or AWS_DEFAULT_REGION, or of the profile.

    `configuration_set` is for all e-mails without one in their `options`. Tags are headers X-Tag; with a `tag_name`,
    the one tag of an e-mail is a message tag of that name. Metadata is a header X-Metadata in JSON. `content="simple"`
    has SES put the e-mails together instead of this package. `endpoint` is the address before `/v2`.
    """

    name = "ses"
    title = "Amazon SES"
    capabilities = Capabilities(recipients=MOST_RECIPIENTS, size=28_000_000)

    def __init__(
        self,
        *,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        region_name: str | None = None,
        profile_name: str | None = None,
        credentials: FindsKeys | None = None,
        endpoint: str | None = None,
        configuration_set: str | None = None,
        tag_name: str | None = None,
        content: Literal["raw", "simple"] = "raw",
    ) -> None:
        if content not in {"raw", "simple"}:
            raise ValueError("Amazon SES's `content` is 'raw' or 'simple'.")
        if tag_name is not None and not _TAG.fullmatch(tag_name):
            raise ValueError("Amazon SES's `tag_name` has at most 256 letters, digits, hyphens and underscores.")
        keys = self._given_keys(aws_access_key_id, aws_secret_access_key, aws_session_token)
        if credentials is not None and (keys is not None or not callable(cast("object", credentials))):
            raise ValueError("Amazon SES's `credentials` is a function that returns keys, instead of any other keys.")
        region = region_from(region_name, profile_name, self.title)
        suffix = _SUFFIXES.get(region.partition("-")[0], "amazonaws.com")
        self._url = (endpoint or f"https://email.{region}.{suffix}").rstrip("/")
        self._signer = Signer(region, "ses")
        self._find: FindsKeys = credentials or ((lambda: keys) if keys else (lambda: profile_keys(profile_name)))
        self._configuration_set = (
            None if configuration_set is None else required(configuration_set, "configuration_set", self.title)
        )
        self._tag_name = tag_name
        self._simple = content == "simple"

    def transport(self) -> SigningTransport:
        """Return the default transport, with signatures."""
        return self.carrier(super().transport())

    def async_transport(self) -> AsyncSigningTransport:
        """Return the default transport, with signatures."""
        return self.async_carrier(super().async_transport())

    def carrier(self, transport: RequestTransport[HttpRequest, HttpResponse]) -> SigningTransport:
        """Return what signs each attempt and sends it over the transport."""
        from poststack._sync.signing import Keyring, SigningTransport

        return SigningTransport(transport, self._signer, Keyring(self._find))

    def async_carrier(self, transport: AsyncRequestTransport[HttpRequest, HttpResponse]) -> AsyncSigningTransport:
        """Return what signs each attempt and sends it over the transport."""
        from poststack._async.signing import AsyncKeyring, AsyncSigningTransport

        return AsyncSigningTransport(transport, self._signer, AsyncKeyring(self._find))

    def unsupported(self, message: Message, now: datetime | None = None) -> Iterator[Unsupported]:
        """Yield what the message says and Amazon SES cannot."""
        yield from super().unsupported(message, now)
        yield from taken_options(message, [*_MAPPED, *(["EmailTags"] if self._tag_name else [])])
        if "EndpointId" in message.options:
            kept = {name: value for name, value in message.options.items() if name != "EndpointId"}
            yield Unsupported(
                "options", "needs another kind of signature for `EndpointId`", replace(message, options=kept)
            )
        kept_headers = tuple(header for header in message.headers if header[0].lower() not in _REPLACED)
        if kept_headers != message.headers:
            yield Unsupported("headers", "writes Date and Message-ID itself", replace(message, headers=kept_headers))
        yield from self._unsupported_tags(message)
        if message.template_id is not None:
            yield from _unsupported_beside_a_template(message)
        if message.template_id is not None or self._simple:
            yield from _unsupported_in_lists(message, self._headers(message))
        else:
            yield from unsupported_in_mime(message)

    def plan(self, messages: Sequence[Message]) -> list[Call[HttpRequest]]:
        """Return the calls: e-mails of one template together, the others each in a request of its own."""
        groups = grouped(
            messages, self._key, most=MOST_ENTRIES, most_recipients=MOST_RECIPIENTS, largest=LARGEST_REQUEST, size=_size
        )
        return [self._single(group[0]) if len(group) == 1 else self._bulk(group) for group in groups]

    def outcomes(self, call: Call[HttpRequest], answer: HttpResponse, now: float) -> list[Outcome]:
        """Return what the answer says, of each e-mail of a template by itself."""
        if answer.status != 200:
            # What is not found is the template, which all of them have.
            call.separable = call.separable and answer.status != 404
            return [refused(answer, now, self.title) for _ in call.messages]
        if not call.request.url.endswith(BULK):
            return [taken(answer, now, self.title)]
        # Each was dealt with by itself, so taking the others away would change nothing.
        call.separable = False
        return taken_each(answer, now, self.title, len(call.messages))

    def failure(self, error: TransportError) -> Failure:
        """Return what no answer means; without keys nothing was sent."""
        if isinstance(error, CredentialsError):
            return Failure(error.kind, f"{error} Nothing was sent.", cause=error)
        return super().failure(error)

    def _given_keys(self, access_key: str | None, secret_key: str | None, token: str | None) -> Keys | None:
        if access_key is None and secret_key is None and token is None:
            return None
        return Keys(
            required(access_key, "aws_access_key_id", self.title),
            required(secret_key, "aws_secret_access_key", self.title),
            None if token is None else required(token, "aws_session_token", self.title),
        )

    def _unsupported_tags(self, message: Message) -> Iterator[Unsupported]:
        if self._tag_name is not None and message.tags:
            if len(message.tags) > 1:
                yield Unsupported(
                    "tags", "takes one tag under a `tag_name`, not several", replace(message, tags=message.tags[:1])
                )
            if not all(map(_TAG.fullmatch, message.tags)):
                reason = "takes tags of at most 256 letters, digits, hyphens and underscores under a `tag_name`"
                yield Unsupported("tags", reason, replace(message, tags=()))
        if message.metadata:
            if any(len(word) > LONGEST_WORD for word in _metadata(message).split()):
                reason = f"keeps metadata of at most {LONGEST_WORD} characters without a space"
                yield Unsupported("metadata", reason, replace(message, metadata={}))
            if any(name.lower() == "x-metadata" for name, _ in message.headers):
                yield Unsupported("headers", "writes metadata as X-Metadata, so there cannot be another")

    def _key(self, message: Message) -> Hashable:
        """Return what is the same for all e-mails of one request."""
        # SendBulkEmail knows neither files nor all options, and MIME not at all.
        if message.template_id is None or message.attachments or message.options:
            return object()
        return message.template_id, message.sender, message.reply_to, message.track_opens, message.track_clicks

    def _single(self, message: Message) -> Call[HttpRequest]:
        fields: dict[str, Any] = {"FromEmailAddress": header_address(message.sender)}
        fields["Destination"] = _destination(message)
        if message.template_id is not None or self._simple:
            if message.reply_to:
                fields["ReplyToAddresses"] = [header_address(address) for address in message.reply_to]
            fields["Content"] = self._template(message) if message.template_id is not None else self._parts(message)
        else:
            whole = mime_bytes(replace(message, headers=tuple(self._headers(message))), message_id=None, date=None)
            fields["Content"] = {"Raw": {"Data": _base64(whole)}}
        if tags := self._message_tags(message):
            fields["EmailTags"] = tags
        return self._call(SINGLE, fields, [message])

    def _bulk(self, group: Sequence[Message]) -> Call[HttpRequest]:
        first = group[0]
        # Whoever has no data of his own would get the default's, so that is nobody's.
        fields: dict[str, Any] = {"FromEmailAddress": header_address(first.sender)}
        if first.reply_to:
            fields["ReplyToAddresses"] = [header_address(address) for address in first.reply_to]
        fields["DefaultContent"] = {"Template": {**_template_name(first), "TemplateData": "{}"}}
        fields["BulkEmailEntries"] = [self._entry(message) for message in group]
        return self._call(BULK, fields, group)

    def _call(self, path: str, fields: dict[str, Any], messages: Sequence[Message]) -> Call[HttpRequest]:
        first = messages[0]
        if self._configuration_set is not None:
            fields["ConfigurationSetName"] = self._configuration_set
        switches = (("OpenTrackingEnabled", first.track_opens), ("ClickTrackingEnabled", first.track_clicks))
        tracking = {name: "ENABLED" if value else "DISABLED" for name, value in switches if value is not None}
        if tracking:
            fields["ConfigurationOverrides"] = {"Tracking": tracking}
        body = json_bytes({**fields, **first.options})
        request = HttpRequest("POST", f"{self._url}{path}", {"Content-Type": "application/json"}, body)
        return Call(request, messages, separable=len(messages) > 1)

    def _entry(self, message: Message) -> dict[str, Any]:
        data = {"ReplacementTemplate": {"ReplacementTemplateData": _data(message)}}
        entry: dict[str, Any] = {"Destination": _destination(message), "ReplacementEmailContent": data}
        if headers := _listed(self._headers(message)):
            entry["ReplacementHeaders"] = headers
        if tags := self._message_tags(message):
            entry["ReplacementTags"] = tags
        return entry

    def _template(self, message: Message) -> dict[str, Any]:
        fields: dict[str, Any] = {**_template_name(message), "TemplateData": _data(message)}
        return {"Template": fields | self._extras(message)}

    def _parts(self, message: Message) -> dict[str, Any]:
        bodies = {"Text": message.text, "Html": message.html}
        fields: dict[str, Any] = {
            "Subject": _content(message.subject or ""),
            "Body": {name: _content(text) for name, text in bodies.items() if text},
        }
        return {"Simple": fields | self._extras(message)}

    def _extras(self, message: Message) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if headers := _listed(self._headers(message)):
            fields["Headers"] = headers
        if message.attachments:
            fields["Attachments"] = [_attachment(file) for file in message.attachments]
        return fields

    def _headers(self, message: Message) -> list[tuple[str, str]]:
        """Return the message's headers, and those that its tags and metadata are."""
        headers = list(message.headers)
        if self._tag_name is None:
            headers += [("X-Tag", header_text(tag)) for tag in message.tags]
        if message.metadata:
            headers.append(("X-Metadata", _metadata(message)))
        return headers

    def _message_tags(self, message: Message) -> list[dict[str, str]]:
        return [{"Name": self._tag_name, "Value": tag} for tag in message.tags] if self._tag_name is not None else []


def _unsupported_beside_a_template(message: Message) -> Iterator[Unsupported]:
    if message.subject:
        yield Unsupported("subject", "takes the subject from the template", replace(message, subject=None))
    if message.text or message.html:
        yield Unsupported("body", "takes the texts from the template", replace(message, text=None, html=None))
    if len(_data(message)) > LONGEST_DATA:
        yield Unsupported("template_data", f"takes at most {LONGEST_DATA:,} characters of template data")


def _unsupported_in_lists(message: Message, headers: list[tuple[str, str]]) -> Iterator[Unsupported]:
    """Yield what cannot be listed beside a template, or as simple content."""
    if len(headers) > MOST_HEADERS:
        reason = (
            f"takes at most {MOST_HEADERS} headers, tags and metadata among them, unless it gets the e-mail as MIME"
        )
        yield Unsupported("headers", reason, replace(message, headers=(), tags=(), metadata={}))
    most = f"{LONGEST_VALUE} characters"
    if not all(_is_listable(*header) for header in message.headers):
        reason = f"takes headers of 1 to {most}, and names of {LONGEST_HEADER_NAME}, unless it gets the e-mail as MIME"
        yield Unsupported("headers", reason, replace(message, headers=()))
    if any(len(header_text(tag)) > LONGEST_VALUE for tag in message.tags):
        yield Unsupported("tags", f"takes tags of at most {most} as headers", replace(message, tags=()))
    if message.metadata and len(_metadata(message)) > LONGEST_VALUE:
        yield Unsupported("metadata", f"takes metadata of at most {most} as a header", replace(message, metadata={}))
    for file in message.attachments:
        sizes = (len(file.filename), len(file.content_type), len(file.content_id or ""))
        if any(size > limit for size, limit in zip(sizes, LONGEST_FILE_FIELDS, strict=True)):
            reason = "takes file names of at most {} characters, media types of {} and content ids of {}"
            yield Unsupported("attachments", reason.format(*LONGEST_FILE_FIELDS))


def _is_listable(name: str, value: str) -> bool:
    listed = header_value(value)
    return len(name) <= LONGEST_HEADER_NAME and 1 <= len(listed) <= LONGEST_VALUE and "\t" not in listed


def _size(message: Message) -> int:
    return len(_data(message)) + sum(len(name) + len(value) for name, value in message.headers)


def _data(message: Message) -> str:
    return json.dumps(dict(message.variables), ensure_ascii=False, separators=(",", ":"))


def _metadata(message: Message) -> str:
    return json.dumps(dict(message.metadata))


def _template_name(message: Message) -> dict[str, str]:
    name = message.template_id or ""
    return {"TemplateArn" if name.startswith("arn:") else "TemplateName": name}


def _destination(message: Message) -> dict[str, list[str]]:
    lists: tuple[tuple[str, tuple[Address, ...]], ...] = (
        ("ToAddresses", message.to),
        ("CcAddresses", message.cc),
        ("BccAddresses", message.bcc),
    )
    return {name: [header_address(address) for address in addresses] for name, addresses in lists if addresses}


def _listed(headers: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": header_value(value)} for name, value in headers]


def _content(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}


def _attachment(file: Attachment) -> dict[str, str]:
    fields = {
        "FileName": file.filename,
        "RawContent": _base64(file.content),
        "ContentType": file.content_type,
        "ContentDisposition": "ATTACHMENT",
        "ContentTransferEncoding": "BASE64",
    }
    if file.content_id is not None:
        fields |= {"ContentDisposition": "INLINE", "ContentId": file.content_id}
    return fields


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
