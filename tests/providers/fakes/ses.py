"""Amazon SES, version 2, as strict as the reference and botocore's description of the API (providers.md §7, §10, §11).

Signatures are computed anew, by another implementation than the one that made them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections import deque
from datetime import datetime, timedelta, timezone
from functools import cache
from importlib import import_module
from typing import Any, Final, NoReturn, cast
from urllib.parse import quote

from tests.providers.fakes.base import Delivered, FakeProvider, HttpAnswer, HttpRequestSeen, Refused
from tests.providers.fakes.reading import read_addresses, read_mail, read_text

REGION: Final = "eu-central-1"
ACCESS_KEY: Final = "AKIDFAKEFAKEFAKE"
SECRET_KEY: Final = "fake/secret+key"
SINGLE: Final = "/v2/email/outbound-emails"
BULK: Final = "/v2/email/outbound-bulk-emails"
WRITTEN_BY_SES: Final = {
    "from",
    "to",
    "cc",
    "bcc",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "return-path",
    "sender",
}


class FakeSes(FakeProvider):
    """Takes what Amazon SES takes, outside its sandbox."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, tuple[str, str | None]] = {ACCESS_KEY: (SECRET_KEY, None)}
        """Secret and session token of each key id."""
        self.expired: set[str] = set()
        """Key ids that are no longer good."""
        self.statuses: dict[str, deque[str]] = {}
        """What becomes of the next e-mails of a bulk to an address, instead of SUCCESS."""
        self.seen_keys: list[str] = []

    def settings(self) -> dict[str, Any]:
        return {
            "aws_access_key_id": ACCESS_KEY,
            "aws_secret_access_key": SECRET_KEY,
            "region_name": REGION,
            "endpoint": self.url,
        }

    def answer(self, request: HttpRequestSeen) -> HttpAnswer:
        self._check_signature(request)
        if request.method != "POST" or request.path not in {SINGLE, BULK}:
            _refuse(404, "NotFoundException", "no such operation")
        if request.headers.get("content-type") != "application/json":
            _refuse(415, "UnsupportedMediaTypeException", "application/json, please")
        body = json.loads(request.body)
        _check_shape("SendEmail" if request.path == SINGLE else "SendBulkEmail", body)
        if request.path == SINGLE:
            return _said(200, {"MessageId": self._take(body)}, len(self.requests))
        return _said(200, {"BulkEmailEntryResults": self._take_each(body)}, len(self.requests))

    def _take(self, body: dict[str, Any]) -> str:
        content = body["Content"]
        if len(content) != 1:
            _refuse(400, "BadRequestException", "Content has exactly one member")
        ((kind, said),) = content.items()
        lists = _destination(body.get("Destination", {}))
        if kind == "Raw":
            try:
                one = read_mail(base64.b64decode(said["Data"], validate=True))
            except (ValueError, binascii.Error) as error:
                _refuse(400, "BadRequestException", str(error))
            if "ReplyToAddresses" in body or read_addresses([body["FromEmailAddress"]]) != [one.sender]:
                _refuse(400, "BadRequestException", "the fields would replace the headers")
            if (one.to, one.cc) != (lists["To"], lists["Cc"]):
                _refuse(400, "BadRequestException", "the headers name others than the destination")
            one.bcc = lists["Bcc"]
            _move_headers(one, base64.b64decode(said["Data"]))
        else:
            one = _listed_mail(body, lists, said, said.get("Headers", []))
            if kind == "Simple":
                one.subject = said["Subject"]["Data"]
                one.text = said["Body"].get("Text", {}).get("Data")
                one.html = said["Body"].get("Html", {}).get("Data")
            else:
                one.template_id, one.variables = _template(said)
        one.message_id = self._id()
        _add_tags(one, body.get("EmailTags", []))
        _add_settings(one, body)
        self.delivered.append(one)
        return one.message_id

    def _take_each(self, body: dict[str, Any]) -> list[dict[str, str]]:
        default = body["DefaultContent"]["Template"]
        template_id, default_data = _template(default)
        entries = body["BulkEmailEntries"]
        recipients = sum(len(addresses) for entry in entries for addresses in entry["Destination"].values())
        if not 1 <= len(entries) <= 50 or recipients > 50:
            _refuse(400, "BadRequestException", "1 to 50 entries")
        everybody = [_destination(entry["Destination"]) for entry in entries]
        results: list[dict[str, str]] = []
        for entry, lists in zip(entries, everybody, strict=True):
            one = _listed_mail(body, lists, default, entry.get("ReplacementHeaders", default.get("Headers", [])))
            replacement = entry.get("ReplacementEmailContent", {}).get("ReplacementTemplate", {})
            data = replacement.get("ReplacementTemplateData")
            # Exactly what lets the data of one recipient reach another: missing values come from the default.
            one.template_id, one.variables = template_id, {**default_data, **(json.loads(data) if data else {})}
            waiting = self.statuses.get(one.to[0][1])
            status = waiting.popleft() if waiting else "SUCCESS"
            if status != "SUCCESS":
                results.append({"Status": status, "Error": f"It is {status}."})
                continue
            one.message_id = self._id()
            _add_tags(one, entry.get("ReplacementTags", body.get("DefaultEmailTags", [])))
            _add_settings(one, body)
            results.append({"Status": "SUCCESS", "MessageId": one.message_id})
            self.delivered.append(one)
        return results

    def _id(self) -> str:
        return f"0100-{len(self.delivered)}-000000"

    def _check_signature(self, request: HttpRequestSeen) -> None:
        given = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
            r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
            request.headers.get("authorization", ""),
        )
        if given is None:
            _refuse(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        access_key, day, region, service, names, signature = given.groups()
        self.seen_keys.append(access_key)
        if access_key not in self.keys:
            _refuse(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        secret, token = self.keys[access_key]
        moment = request.headers.get("x-amz-date", "")
        at = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
        if abs(datetime.now(timezone.utc) - at) > timedelta(minutes=5) or not moment.startswith(day):
            _refuse(403, "InvalidSignatureException", "Signature expired")
        needed = {"host", "content-type", "x-amz-date", *(["x-amz-security-token"] if token else [])}
        if (region, service) != (REGION, "ses") or not needed <= set(names.split(";")):
            _refuse(403, "InvalidSignatureException", "Credential should be scoped to a valid region and service")
        if request.headers.get("x-amz-security-token") != token:
            _refuse(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in names.split(";"))
        canonical = "\n".join(
            [request.method, quote(request.path), "", headers, names, hashlib.sha256(request.body).hexdigest()]
        )
        scope = f"{day}/{region}/{service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{secret}".encode()
        for part in (day, region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        if not hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), signature):
            _refuse(403, "InvalidSignatureException", "The request signature we calculated does not match.")
        if access_key in self.expired:
            _refuse(403, "ExpiredTokenException", "The security token included in the request is expired")


@cache
def _model() -> Any:
    return import_module("botocore.session").Session().get_service_model("sesv2")


def _check_shape(operation: str, body: Any) -> None:
    shape = _model().operation_model(operation).input_shape
    report = import_module("botocore.validate").ParamValidator().validate(body, shape)
    if report.has_errors():
        _refuse(400, "BadRequestException", report.generate_report())


def _destination(given: dict[str, list[str]]) -> dict[str, list[tuple[str, str]]]:
    lists = {kind: given.get(f"{kind}Addresses", []) for kind in ("To", "Cc", "Bcc")}
    if not 1 <= sum(map(len, lists.values())) <= 50 or any(given[name] == [] for name in given):
        _refuse(400, "BadRequestException", "1 to 50 recipients")
    return {kind: _addresses(values) for kind, values in lists.items()}


def _addresses(values: list[str]) -> list[tuple[str, str]]:
    if not all(value.isascii() and value.isprintable() for value in values):
        _refuse(400, "BadRequestException", "Local address contains control or whitespace, or is not ASCII")
    try:
        found = [read_addresses([value]) for value in values]
    except ValueError:
        _refuse(400, "BadRequestException", "Illegal address")
    if any(len(pairs) != 1 or pairs[0][1] == "refused@example.net" for pairs in found):
        _refuse(400, "BadRequestException", "Illegal address")
    return [pairs[0] for pairs in found]


def _listed_mail(
    body: dict[str, Any],
    lists: dict[str, list[tuple[str, str]]],
    content: dict[str, Any],
    headers: list[dict[str, str]],
) -> Delivered:
    if len(headers) > 15:
        _refuse(400, "BadRequestException", "at most 15 headers")
    one = Delivered("", _addresses([body["FromEmailAddress"]])[0], lists["To"], lists["Cc"], lists["Bcc"])
    one.reply_to = _addresses(body.get("ReplyToAddresses", []))
    for header in headers:
        name, value = header["Name"], header["Value"]
        if not re.fullmatch(r"[!-9;-@A-~]{1,126}", name) or not re.fullmatch(r"[ -~]{1,995}", value):
            _refuse(400, "BadRequestException", "header out of range")
        if name.lower() in WRITTEN_BY_SES:
            _refuse(400, "BadRequestException", "this header has a field of its own")
        _add_header(one, name, read_text(value))
    for file in content.get("Attachments", []):
        if len(file["FileName"]) > 255 or any(len(file.get(name, "")) > 78 for name in ("ContentType", "ContentId")):
            _refuse(400, "BadRequestException", "attachment out of range")
        inline = file["ContentDisposition"] == "INLINE"
        if inline != ("ContentId" in file) or file["ContentTransferEncoding"] != "BASE64":
            _refuse(400, "BadRequestException", "an inline attachment has a content id")
        content_type = file["ContentType"].partition(";")[0].lower()
        data = base64.b64decode(file["RawContent"], validate=True)
        one.attachments.append((file["FileName"], data, content_type, file.get("ContentId")))
    return one


def _template(said: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    names = [said[name] for name in ("TemplateName", "TemplateArn") if name in said]
    if len(names) != 1 or ("TemplateArn" in said) != names[0].startswith("arn:"):
        _refuse(400, "BadRequestException", "a template has a name or an ARN")
    if names[0] == "missing":
        _refuse(404, "NotFoundException", "Template missing does not exist.")
    data = json.loads(said["TemplateData"])
    if not isinstance(data, dict):
        _refuse(400, "BadRequestException", "TemplateData is a JSON object as text")
    return names[0], cast("dict[str, Any]", data)


def _move_headers(one: Delivered, data: bytes) -> None:
    """Read the tags, of which there may be several: one header each."""
    head = data.partition(b"\r\n\r\n")[0].decode().replace("\r\n ", " ")
    one.headers = {}
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        _add_header(one, name, read_text(value.strip()))


def _add_header(one: Delivered, name: str, value: str) -> None:
    if name == "X-Tag":
        one.tags.append(value)
    elif name == "X-Metadata":
        one.metadata = json.loads(value)
    else:
        one.headers[name] = value


def _add_tags(one: Delivered, tags: list[dict[str, str]]) -> None:
    if any(not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", tag[name]) for tag in tags for name in ("Name", "Value")):
        _refuse(400, "BadRequestException", "Invalid tag")
    if len({tag["Name"] for tag in tags}) < len(tags):
        _refuse(400, "BadRequestException", "Duplicate tag name")
    if tags:
        one.options["EmailTags"] = tags


def _add_settings(one: Delivered, body: dict[str, Any]) -> None:
    tracking = body.get("ConfigurationOverrides", {}).get("Tracking", {})
    states = {"ENABLED": True, "DISABLED": False, None: None}
    one.track_opens = states[tracking.get("OpenTrackingEnabled")]
    one.track_clicks = states[tracking.get("ClickTrackingEnabled")]
    for name in ("ConfigurationSetName", "FeedbackForwardingEmailAddress", "ListManagementOptions", "TenantName"):
        if name in body:
            one.options[name] = body[name]


def _said(status: int, body: object, number: int) -> HttpAnswer:
    headers = {"Content-Type": "application/json", "x-amzn-RequestId": f"request-{number}"}
    return HttpAnswer(status, json.dumps(body).encode(), headers)


def _refuse(status: int, code: str, message: str) -> NoReturn:
    answer = _said(status, {"message": message}, 0)
    answer.headers["x-amzn-ErrorType"] = f"{code}:http://internal.amazon.com/coral/com.amazonaws.sesv2/"
    raise Refused(answer)
