"""Postmark's e-mail and template endpoints, as strict as the reference says (providers.md §4, §11).

What happens to an e-mail is chosen by how its recipients begin: `inactive` is on the suppression list, `refused` is no
address, `delayed` is accepted later than usual. The sender `unverified` has no signature.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from email.headerregistry import HeaderRegistry
from functools import lru_cache
from typing import Any, Final, NoReturn, cast

from tests.providers.fakes.base import Delivered, FakeProvider, HttpAnswer, HttpRequestSeen, Refused

TOKEN: Final = "pm-fake-token"
TEST_TOKEN: Final = "POSTMARK_API_TEST"
SUBMITTED_AT: Final = "2026-11-30T07:25:01.4178645-05:00"
TEMPLATES: Final = (17, "welcome")
STREAMS: Final = ("outbound", "broadcast")
PLAIN_FIELDS: Final = {"Subject", "TextBody", "HtmlBody"}
TEMPLATE_FIELDS: Final = {"TemplateId", "TemplateAlias", "TemplateModel"}
COMMON_FIELDS: Final = {
    "From", "To", "Cc", "Bcc", "ReplyTo", "Headers", "Tag", "Metadata", "Attachments", "TrackOpens", "TrackLinks",
    "MessageStream", "InlineCss",
}  # fmt: skip
FORBIDDEN_FILES: Final = (".exe", ".vbs", ".bat")
INACTIVE: Final = (
    "Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a manual suppression."
)


class FakePostmark(FakeProvider):
    """Takes what Postmark takes."""

    def settings(self) -> dict[str, Any]:
        return {"server_token": TOKEN, "endpoint": f"{self.url}/email"}

    def answer(self, request: HttpRequestSeen) -> HttpAnswer:
        if request.headers.get("accept") != "application/json" or request.headers.get("content-type") != (
            "application/json"
        ):
            _refuse(415, 409, "The 'Accept' and 'Content-Type' headers must be 'application/json'.")
        token = request.headers.get("x-postmark-server-token")
        if token not in {TOKEN, TEST_TOKEN}:
            _refuse(401, 10, "The Server Token you provided in the X-Postmark-Server-Token header was invalid.")
        try:
            body: Any = json.loads(request.body)
        except ValueError:
            _refuse(422, 402, "Received invalid JSON input.")
        path = request.path.rstrip("/")
        is_test = token == TEST_TOKEN
        if request.method != "POST" or path not in {
            "/email", "/email/withTemplate", "/email/batch", "/email/batchWithTemplates"
        }:  # fmt: skip
            raise Refused(HttpAnswer(404, b"<html>Not Found</html>", {"Content-Type": "text/html"}))
        has_template = path.endswith(("withTemplate", "WithTemplates"))
        if has_template and not isinstance(body, dict):
            _refuse(422, 402, "Received invalid JSON input.")
        if "/batch" not in path:
            if len(request.body) > 10 * 2**20:
                _refuse(413, 0, "The request is too large.")
            status, said = self._take(body, has_template=has_template, is_test=is_test)
            return HttpAnswer(status, json.dumps(said).encode(), {"Content-Type": "application/json"})
        if len(request.body) > 50_000_000:
            _refuse(413, 0, "The request is too large.")
        items: object = cast("object", body["Messages"] if has_template and "Messages" in body else body)
        if not isinstance(items, list):
            _refuse(422, 402, "Received invalid JSON input.")
        messages = cast("list[object]", items)
        if len(messages) > 500:
            _refuse(422, 410, "Too many batch messages. This call is limited to 500 messages per request.")
        answers = [self._take(item, has_template=has_template, is_test=is_test)[1] for item in messages]
        return HttpAnswer(200, json.dumps(answers).encode(), {"Content-Type": "application/json"})

    def _take(self, message: Any, *, has_template: bool, is_test: bool) -> tuple[int, dict[str, Any]]:
        try:
            return 200, self._accept(message, has_template=has_template, is_test=is_test)
        except Refused as refused:
            return refused.answer.status, json.loads(refused.answer.body)

    def _accept(self, message: Any, *, has_template: bool, is_test: bool) -> dict[str, Any]:
        if not isinstance(message, dict):
            _refuse(422, 402, "Received invalid JSON input.")
        fields = cast("dict[str, Any]", message)
        _check_fields(fields, has_template=has_template)
        delivered = _delivered(fields)
        everybody = [email for _, email in delivered.to + delivered.cc + delivered.bcc]
        inactive = [email.lower() for email in everybody if email.startswith("inactive")]
        if len(inactive) == len(everybody):
            found = f"Found inactive addresses: {', '.join(inactive)}.\n{INACTIVE}"
            _refuse(422, 406, f"You tried to send to a recipient that has been marked as inactive.\n{found}")
        answer: dict[str, Any] = {
            "To": fields["To"],
            "SubmittedAt": SUBMITTED_AT,
            "MessageID": delivered.message_id,
            "ErrorCode": 0,
            "Message": "Test job accepted" if is_test else "OK",
        }
        if inactive:
            left_out = ", ".join(inactive)
            answer["Message"] = f"Message OK, but will not deliver to these inactive addresses: {left_out}. {INACTIVE}"
        if any(email.startswith("delayed") for email in everybody):
            del answer["ErrorCode"]
            answer["Message"] = "Message accepted, but delivery may be delayed."
        if not is_test:
            self.delivered.append(delivered)
        return answer


def _check_fields(fields: dict[str, Any], *, has_template: bool) -> None:
    for name in fields:
        if name not in COMMON_FIELDS | (TEMPLATE_FIELDS if has_template else PLAIN_FIELDS):
            _refuse(422, 403, f"Invalid request field(s): '{name}'.")
    for name in ("From", "To", "Cc", "Bcc", "ReplyTo", "Subject", "TextBody", "HtmlBody", "Tag", "TrackLinks"):
        if name in fields and (not isinstance(fields[name], str) or not fields[name]):
            _refuse(422, 403, f"Invalid request field(s): '{name}'.")
    if has_template:
        _check_template(fields)
    elif not fields.get("TextBody") and not fields.get("HtmlBody"):
        _refuse(422, 300, "Provide either email TextBody or HtmlBody or both.")
    if any(len(fields.get(name, "").encode()) > 5 * 2**20 for name in ("TextBody", "HtmlBody")):
        _refuse(422, 300, "The body is too large.")
    _check_addresses(fields)
    if len(fields.get("Tag", "")) > 1000:
        _refuse(422, 300, "The 'Tag' is too long.")
    if fields.get("TrackLinks", "None") not in {"None", "HtmlAndText", "HtmlOnly", "TextOnly"}:
        _refuse(422, 300, "Invalid 'TrackLinks'.")
    if not isinstance(fields.get("TrackOpens", True), bool):
        _refuse(422, 403, "Invalid request field(s): 'TrackOpens'.")
    if fields.get("MessageStream", "outbound") not in STREAMS:
        _refuse(422, 1235, "The 'MessageStream' provided does not exist on this server.")
    _check_metadata(fields.get("Metadata", {}))
    for header in fields.get("Headers", []):
        if set(header) != {"Name", "Value"} or not all(isinstance(text, str) for text in header.values()):
            _refuse(422, 403, "Invalid request field(s): 'Headers'.")
    for file in fields.get("Attachments", []):
        _check_file(file)


def _check_template(fields: dict[str, Any]) -> None:
    if not isinstance(fields.get("TemplateModel"), dict):
        _refuse(422, 403, "Invalid request field(s): 'TemplateModel'.")
    if ("TemplateId" in fields) == ("TemplateAlias" in fields):
        _refuse(422, 403, "Give either 'TemplateId' or 'TemplateAlias'.")
    if "TemplateId" in fields and not isinstance(fields["TemplateId"], int):
        _refuse(422, 403, "Invalid request field(s): 'TemplateId'.")
    if fields.get("TemplateId", fields.get("TemplateAlias")) not in TEMPLATES:
        _refuse(422, 1101, "The Template's 'Id' associated with this request is not valid or was not found.")


def _check_addresses(fields: dict[str, Any]) -> None:
    if not fields.get("From") or not fields.get("To"):
        _refuse(422, 300, "Zero recipients specified" if fields.get("From") else "Invalid 'From' address: ''.")
    for name in ("From", "To", "Cc", "Bcc", "ReplyTo"):
        for _, email in _pairs(fields.get(name, "")):
            if not email.isascii() or email.startswith("refused") or "@" not in email:
                _refuse(422, 300, f"Invalid '{name}' address: '{email}'.")
        if name in fields and (defect := _parsed(fields[name])[1]):
            _refuse(422, 300, f"Error parsing '{name}': {defect}")
    if len(_pairs(fields["From"])) != 1:
        _refuse(422, 300, "Invalid 'From' address.")
    if _pairs(fields["From"])[0][1].startswith("unverified"):
        _refuse(422, 400, "The 'From' address you supplied is not a Sender Signature on your account.")
    if sum(len(_pairs(fields.get(name, ""))) for name in ("To", "Cc", "Bcc")) > 50:
        _refuse(422, 300, "Too many recipients: at most 50 are allowed.")


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, dict):
        _refuse(422, 403, "Invalid request field(s): 'Metadata'.")
    items = cast("dict[str, Any]", metadata)
    if any(not isinstance(value, str) or len(name) > 20 or len(value) > 80 for name, value in items.items()):
        _refuse(422, 300, "Invalid metadata content. Field names must be 20 characters, and values 80, at most.")
    if len(items) > 10 or len({name.lower() for name in items}) < len(items):
        _refuse(422, 300, "Invalid metadata content. Duplicate or too many fields.")


def _check_file(file: dict[str, Any]) -> None:
    if not set(file) <= {"Name", "Content", "ContentType", "ContentID"} or not file.get("Name"):
        _refuse(422, 403, "Invalid request field(s): 'Attachments'.")
    if not re.fullmatch(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;.*)?", file.get("ContentType", ""), re.ASCII):
        _refuse(422, 300, "Invalid attachment: a valid ContentType is required.")
    if file["Name"].lower().endswith(FORBIDDEN_FILES):
        _refuse(422, 411, f"Forbidden attachment type: '{file['Name']}'.")
    try:
        base64.b64decode(file["Content"], validate=True)
    except (KeyError, binascii.Error):
        _refuse(422, 300, "Invalid attachment: the content is not base64.")
    if not re.fullmatch(r"cid:[!-~]+", file.get("ContentID", "cid:none")):
        _refuse(422, 300, "Invalid attachment: 'ContentID' must begin with 'cid:'.")


def _delivered(fields: dict[str, Any]) -> Delivered:
    headers = {header["Name"]: header["Value"] for header in fields.get("Headers", [])}
    # Postmark's own instruction; without it, Postmark writes another Message-ID.
    if headers.pop("X-PM-KeepID", "") != "true":
        headers = {name: value for name, value in headers.items() if name.lower() != "message-id"}
    template = fields.get("TemplateId", fields.get("TemplateAlias"))
    return Delivered(
        str(uuid.uuid4()),
        _pairs(fields["From"])[0],
        _pairs(fields["To"]),
        _pairs(fields.get("Cc", "")),
        _pairs(fields.get("Bcc", "")),
        _pairs(fields.get("ReplyTo", "")),
        fields.get("Subject"),
        fields.get("TextBody"),
        fields.get("HtmlBody"),
        headers,
        [fields["Tag"]] if "Tag" in fields else [],
        fields.get("Metadata", {}),
        [
            (
                file["Name"],
                base64.b64decode(file["Content"]),
                file["ContentType"].partition(";")[0].strip().lower(),
                file["ContentID"].removeprefix("cid:") if "ContentID" in file else None,
            )
            for file in fields.get("Attachments", [])
        ],
        None if template is None else str(template),
        fields.get("TemplateModel", {}),
        None,
        fields.get("TrackOpens"),
        None if "TrackLinks" not in fields else fields["TrackLinks"] != "None",
        {name: fields[name] for name in ("MessageStream", "InlineCss") if name in fields},
    )


def _pairs(text: str) -> list[tuple[str, str]]:
    return list(_parsed(text)[0])


@lru_cache(maxsize=2000)
def _parsed(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """Return names and addresses, and what is wrong with them. Slow, and of a batch most are the same."""
    header: Any = _AS_HEADER("To", text)
    found = tuple((address.display_name, address.addr_spec) for address in header.addresses)
    return found, str(header.defects[0]) if header.defects else ""


_AS_HEADER: Final = HeaderRegistry()


def _refuse(status: int, code: int, message: str) -> NoReturn:
    said = json.dumps({"ErrorCode": code, "Message": message}).encode()
    raise Refused(HttpAnswer(status, said, {"Content-Type": "application/json"}))
