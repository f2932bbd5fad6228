"""SendGrid's mail/send, as strict as the reference says (providers.md §3, §11).

A recipient that begins with `refused` is no address, the sender `unverified` may not send.
"""

from __future__ import annotations

import base64
import json
import time
from email.header import decode_header, make_header
from typing import Any, Final, NoReturn, cast

from tests.providers.fakes.base import Delivered, FakeProvider, HttpAnswer, HttpRequestSeen, Refused

API_KEY: Final = "SG.fake-key"
LEGACY: Final = "13b8f94f-bcae-4ec6-b752-70d6cb59f932"
"""The id of a legacy template."""
FORBIDDEN_HEADERS: Final = {
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding", "to", "from",
    "subject", "reply-to", "cc", "bcc",
}  # fmt: skip
FIELDS: Final = {
    "personalizations", "from", "reply_to", "reply_to_list", "subject", "content", "attachments", "template_id",
    "headers", "categories", "custom_args", "send_at", "batch_id", "asm", "ip_pool_name", "mail_settings",
    "tracking_settings", "sections",
}  # fmt: skip
PERSONAL_FIELDS: Final = {
    "from", "to", "cc", "bcc", "subject", "headers", "substitutions", "dynamic_template_data", "custom_args", "send_at",
}  # fmt: skip
LARGEST_REQUEST: Final = 30_000_000


class FakeSendGrid(FakeProvider):
    """Takes what SendGrid takes."""

    def settings(self) -> dict[str, Any]:
        return {"api_key": API_KEY, "endpoint": f"{self.url}/v3/mail/send"}

    def answer(self, request: HttpRequestSeen) -> HttpAnswer:
        if request.path != "/v3/mail/send" or request.method != "POST":
            _refuse(404, "Not Found")
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            _refuse(401, "The provided authorization grant is invalid, expired, or revoked")
        if request.headers.get("content-type") != "application/json":
            _refuse(415, "Content-Type should be application/json.")
        body: dict[str, Any] = json.loads(request.body)
        if len(request.body) > LARGEST_REQUEST:
            _refuse(413, "Payload too large")
        _check(body)
        message_id = f"sg{len(self.requests)}.id"
        sandbox = body.get("mail_settings", {}).get("sandbox_mode", {}).get("enable") is True
        if not sandbox:
            self.delivered += [_delivered(body, one, message_id) for one in body["personalizations"]]
        rate = {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "599"}
        rate["X-RateLimit-Reset"] = str(int(time.time()) + 60)
        return HttpAnswer(200 if sandbox else 202, headers=rate if sandbox else {**rate, "X-Message-Id": message_id})


def is_legacy(body: dict[str, Any]) -> bool:
    """Whether the template's id is a bare UUID, as those of legacy templates are."""
    return len(str(body.get("template_id", ""))) == 36


def _check(body: dict[str, Any]) -> None:
    if not set(body) <= FIELDS:
        _refuse(400, "Bad Request")
    given: object = body.get("personalizations")
    personalizations = cast("list[dict[str, Any]]", given) if isinstance(given, list) else []
    if not 1 <= len(personalizations) <= 1000:
        _refuse(400, "The personalizations field is required and has 1 to 1000 elements.", "personalizations")
    recipients = 0
    for index, one in enumerate(personalizations):
        recipients += _check_personalization(one, f"personalizations.{index}")
        if not body.get("subject") and not one.get("subject") and not body.get("template_id"):
            _refuse(400, "The subject is required.", "subject")
        if "substitutions" in one and not is_legacy(body):
            _refuse(400, "Substitutions may not be used with dynamic templating.", f"personalizations.{index}")
        if "dynamic_template_data" in one and (is_legacy(body) or "template_id" not in body):
            _refuse(400, "dynamic_template_data needs a dynamic template.", "template_id")
    if recipients > 1000:
        _refuse(400, "Too many recipients.", "personalizations")
    _check_address(body.get("from"), "from")
    if body["from"]["email"].startswith("unverified@"):
        _refuse(403, "The from address does not match a verified Sender Identity.", "from")
    if "reply_to" in body and "reply_to_list" in body:
        _refuse(400, "Both reply_to and reply_to_list were given.", "reply_to")
    for address in [body["reply_to"]] if "reply_to" in body else body.get("reply_to_list", []):
        _check_address(address, "reply_to")
    _check_content(body)
    _check_settings(body)
    tags = body.get("categories", [])
    if len(tags) > 10 or len(set(tags)) < len(tags) or any(len(tag) > 255 or not tag.isascii() for tag in tags):
        _refuse(400, "Invalid categories.", "categories")
    for file in body.get("attachments", []):
        base64.b64decode(file["content"], validate=True)
        if not file["content"] or not isinstance(file.get("filename"), str) or ";" in file.get("type", ""):
            _refuse(400, "Invalid attachment.", "attachments")
        if (file.get("disposition") == "inline") != ("content_id" in file) or "<" in file.get("content_id", ""):
            _refuse(400, "Invalid content_id.", "attachments")


def _check_settings(body: dict[str, Any]) -> None:
    settings: dict[str, Any] = {**body.get("mail_settings", {}), **body.get("tracking_settings", {})}
    if any(not isinstance(setting.get("enable", True), bool) for setting in settings.values()):
        _refuse(400, "Bad Request")
    if "asm" in body and (
        not isinstance(body["asm"].get("group_id"), int) or len(body["asm"].get("groups_to_display", [])) > 25
    ):
        _refuse(400, "Invalid asm.", "asm.group_id")
    if not 2 <= len(body.get("ip_pool_name", "any")) <= 64:
        _refuse(400, "Invalid ip_pool_name.", "ip_pool_name")


def _check_personalization(one: dict[str, Any], field: str) -> int:
    if not set(one) <= PERSONAL_FIELDS:
        _refuse(400, "Bad Request")
    if not one.get("to"):
        _refuse(400, "The to array is required.", f"{field}.to")
    seen: set[tuple[str, str]] = set()
    for kind in ("to", "cc", "bcc"):
        if one.get(kind) == []:
            _refuse(400, "Empty arrays are not allowed.", f"{field}.{kind}")
        for place, address in enumerate(one.get(kind, [])):
            _check_address(address, f"{field}.{kind}.{place}")
            local_part, _, domain = address["email"].rpartition("@")
            if (local_part, domain.lower()) in seen:
                _refuse(400, "Each email address should be unique.", f"{field}.{kind}.{place}.email")
            seen.add((local_part, domain.lower()))
    for kind in ("headers", "custom_args", "substitutions"):
        if not all(isinstance(value, str) for value in one.get(kind, {}).values()):
            _refuse(400, "Bad Request")
    for kind in ("custom_args", "substitutions"):
        if len(json.dumps(one.get(kind, {}), ensure_ascii=False, separators=(",", ":")).encode()) > 10_000:
            _refuse(400, "Too large.", f"{field}.{kind}")
    if not all(value.isascii() for value in one.get("headers", {}).values()):
        _refuse(400, "Headers must be properly encoded.", f"{field}.headers")
    if any(name.lower() in FORBIDDEN_HEADERS for name in one.get("headers", {})):
        _refuse(400, "Header not allowed.", f"{field}.headers")
    at = one.get("send_at")
    if at is not None and (not isinstance(at, int) or at > time.time() + 72 * 3600):
        _refuse(400, "send_at is out of range.", f"{field}.send_at")
    return sum(len(one.get(kind, [])) for kind in ("to", "cc", "bcc"))


def _check_content(body: dict[str, Any]) -> None:
    content = body.get("content")
    if content is None:
        if "template_id" not in body:
            _refuse(400, "The content is required.", "content")
        return
    if "template_id" in body and not is_legacy(body):
        _refuse(400, "A dynamic template brings its own content.", "content")
    kinds = [part["type"] for part in content]
    if not content or any(not part["value"] for part in content):
        _refuse(400, "The content value must be a string at least one character in length.", "content.0.value")
    if kinds not in (["text/plain"], ["text/html"], ["text/plain", "text/html"]):
        _refuse(400, "text/plain must come first.", "content")


def _check_address(address: Any, field: str) -> None:
    email: Any = address.get("email")
    if not isinstance(email, str) or not email.isascii() or email.count("@") < 1 or any(c in email for c in "<> ,"):
        _refuse(400, "Does not contain a valid address.", f"{field}.email")
    if email.startswith("refused@"):
        _refuse(400, "Does not contain a valid address.", f"{field}.email")
    if "name" in address and not isinstance(address["name"], str):
        _refuse(400, "Bad Request")


def _delivered(body: dict[str, Any], one: dict[str, Any], message_id: str) -> Delivered:
    content = {part["type"]: part["value"] for part in body.get("content", [])}
    tracking = body.get("tracking_settings", {})
    replies = [body["reply_to"]] if "reply_to" in body else body.get("reply_to_list", [])
    return Delivered(
        message_id,
        _pair(one.get("from") or body["from"]),
        [_pair(address) for address in one["to"]],
        [_pair(address) for address in one.get("cc", [])],
        [_pair(address) for address in one.get("bcc", [])],
        [_pair(address) for address in replies],
        one.get("subject") or body.get("subject"),
        content.get("text/plain"),
        content.get("text/html"),
        {name: str(make_header(decode_header(value))) for name, value in one.get("headers", {}).items()},
        body.get("categories", []),
        {**body.get("custom_args", {}), **one.get("custom_args", {})},
        [
            (file["filename"], base64.b64decode(file["content"]), file["type"].lower(), file.get("content_id"))
            for file in body.get("attachments", [])
        ],
        body.get("template_id"),
        one.get("dynamic_template_data") or one.get("substitutions") or {},
        one.get("send_at") or body.get("send_at"),
        tracking.get("open_tracking", {}).get("enable"),
        tracking.get("click_tracking", {}).get("enable"),
        {name: body[name] for name in ("asm", "batch_id", "ip_pool_name", "mail_settings") if name in body},
    )


def _pair(address: dict[str, str]) -> tuple[str, str]:
    return address.get("name", ""), address["email"]


def _refuse(status: int, message: str, field: str | None = None) -> NoReturn:
    errors = [{"message": message, "field": field, "help": None}]
    raise Refused(HttpAnswer(status, json.dumps({"errors": errors}).encode(), {"Content-Type": "application/json"}))
