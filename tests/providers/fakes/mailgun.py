"""Mailgun's messages, as strict as the reference says (providers.md §5, §11)."""

from __future__ import annotations

import base64
import json
import re
import time
from collections import defaultdict
from email import policy
from email.parser import Parser
from email.utils import parsedate_to_datetime
from typing import Any, Final, NoReturn, cast

from tests.providers.fakes.base import Delivered, FakeProvider, FileTaken, HttpAnswer, HttpRequestSeen, Refused
from tests.providers.fakes.forms import Part, parts_of

API_KEY: Final = "key-fake"
DOMAIN: Final = "mg.example.org"
FIELDS: Final = {
    "amp-html", "attachment", "bcc", "cc", "from", "html", "inline", "recipient-variables", "subject", "template",
    "text", "to",
}  # fmt: skip
SINGLE: Final = {"from", "html", "recipient-variables", "subject", "template", "text", "t:variables"}

Form = dict[str, list[str]]


class FakeMailgun(FakeProvider):
    """Takes what Mailgun takes, and fills in what Mailgun fills in."""

    keeps_names_of_images = False

    schedule_days = 3

    def settings(self) -> dict[str, Any]:
        return {"api_key": API_KEY, "endpoint": f"{self.url}/v3/{DOMAIN}"}

    def answer(self, request: HttpRequestSeen) -> HttpAnswer:
        path = re.fullmatch(r"/v3/([^/]+)/messages", request.path)
        if path is None:
            return HttpAnswer(200, b"Mailgun Magnificent API")
        credentials = base64.b64encode(f"api:{API_KEY}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {credentials}":
            raise Refused(HttpAnswer(401, b"Forbidden", {"Content-Type": "text/plain"}))
        if path[1] != DOMAIN:
            _refuse(404, f"Domain not found: {path[1]}")
        if len(request.body) > 52.4 * 2**20:
            _refuse(413, "Request Entity Too Large")
        try:
            parts = parts_of(request.headers.get("content-type", ""), request.body)
        except ValueError:
            _refuse(400, "The form cannot be read")
        form: Form = defaultdict(list)
        for part in parts:
            if part.filename is None:
                form[part.name].append(part.text)
        files = [part for part in parts if part.filename is not None]
        _check(form, files)
        self._check_time(form)
        message_id = f"20260101.{len(self.requests)}.abc@{DOMAIN}"
        self.delivered += _delivered(form, files, message_id)
        body = json.dumps({"id": f"<{message_id}>", "message": "Queued. Thank you."})
        return HttpAnswer(200, body.encode(), {"Content-Type": "application/json"})

    def _check_time(self, form: Form) -> None:
        for text in form.get("o:deliverytime", []):
            if not re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", text):
                _refuse(400, "o:deliverytime is not a date of RFC 2822 with a numeric zone")
            if parsedate_to_datetime(text).timestamp() > time.time() + self.schedule_days * 86400:
                _refuse(400, "o:deliverytime is too far ahead")


def _check(form: Form, files: list[Part]) -> None:
    for name, values in form.items():
        if name not in FIELDS and name[:2] not in {"o:", "h:", "v:", "t:"}:
            _refuse(400, f"unknown field {name}")
        # People may write these words; a subject beside a template, or an option, is one only by mistake.
        written = name in {"text", "html", "subject"} and not form.get("template")
        written = written or name == "o:tag" or name[:2] in {"h:", "v:"}
        if not written and any(value in {"None", "True", "False"} for value in values):
            _refuse(400, f"{name} is what Python prints")
        if len(values) > 1 and name in SINGLE:
            _refuse(400, f"{name} comes twice")
    for name in ("from", "to"):
        if not form.get(name):
            _refuse(400, f"{name} parameter is missing")
    recipients = [address for kind in ("to", "cc", "bcc") for address in _addresses(form, kind)]
    _addresses(form, "from")
    if len(recipients) > 1000:
        _refuse(400, "to parameter has more than 1000 recipients")
    if not any(form.get(name) for name in ("text", "html", "amp-html", "template")):
        _refuse(400, "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified")
    if form.get("html") and form.get("template"):
        _refuse(400, "html and template exclude each other")
    if not form.get("subject") and not form.get("template"):
        _refuse(400, "subject parameter is missing")
    _check_options(form)
    _check_variables(form)
    for part in files:
        if part.name not in {"attachment", "inline"} or not part.filename or "/" not in part.content_type:
            _refuse(400, "a file without a name, or in no place for one")
    if sum(len(part.content) * 4 // 3 for part in files) > 25_000_000:
        _refuse(413, "Message too large")


def _check_options(form: Form) -> None:
    options = {name: values for name, values in form.items() if name[1:2] == ":"}
    if sum(len(name.encode()) + len(value.encode()) for name in options for value in options[name]) > 16_384:
        _refuse(400, "o:, h:, v: and t: parameters exceed 16kb")
    tags = form.get("o:tag", [])
    if len(tags) > 3 or any(len(tag) > 128 or not tag.isascii() for tag in tags):
        _refuse(400, "invalid tags")
    for name in ("o:testmode", "o:tracking", "o:tracking-opens", "o:tracking-clicks", "o:require-tls", "o:dkim"):
        if any(value not in {"yes", "no", "htmlonly"} for value in form.get(name, [])):
            _refuse(400, f"{name} is yes or no")
    for address in form.get("h:Reply-To", []):
        _pairs(address, "h:Reply-To")


def _check_variables(form: Form) -> None:
    for name in ("recipient-variables", "t:variables"):
        for text in form.get(name, []):
            if not isinstance(json.loads(text), dict):
                _refuse(400, f"{name} is not a JSON object")
    own = _recipient_variables(form)
    if own is not None:
        recipients = {email for _, email in _addresses(form, "to")}
        if not own.keys() <= recipients or not all(isinstance(value, dict) for value in cast("Any", own.values())):
            _refuse(400, "recipient-variables are objects by recipient")
        if len(recipients) < len(form["to"]):
            _refuse(400, "a batch has a recipient twice")


def _addresses(form: Form, kind: str) -> list[tuple[str, str]]:
    return [pair for text in form.get(kind, []) for pair in _pairs(text, kind)]


def _pairs(text: str, kind: str) -> list[tuple[str, str]]:
    """Return names and addresses as any mail program would read them."""
    message = Parser(policy=policy.default).parsestr(f"To: {text}\n\n")
    header: Any = message["to"]
    found = [(address.display_name, address.addr_spec) for address in header.addresses]
    bad = any(not email.isascii() or not re.fullmatch(r".+@[^@\s]+\.[^@\s]+", email) for _, email in found)
    if bad or not found or header.defects or any(email.startswith("refused@") for _, email in found):
        _refuse(400, f"{kind} parameter is not a valid address. please check documentation")
    return found


def _recipient_variables(form: Form) -> dict[str, dict[str, Any]] | None:
    given = form.get("recipient-variables")
    return cast("dict[str, dict[str, Any]]", json.loads(given[0])) if given else None


def _delivered(form: Form, files: list[Part], message_id: str) -> list[Delivered]:
    everybody = _addresses(form, "to")
    own = _recipient_variables(form)
    groups = [everybody] if own is None else [[one] for one in everybody]
    return [_copy(form, files, message_id, to, own) for to in groups]


def _copy(
    form: Form, files: list[Part], message_id: str, to: list[tuple[str, str]], own: dict[str, dict[str, Any]] | None
) -> Delivered:
    name, email = to[0]
    known = {"%recipient%": f"{name} <{email}>", "%recipient_name%": name, "%recipient_email%": email}
    known |= {"%unsubscribe_url%": "https://mg.example.org/u/1", "%unsubscribe_email%": "u+1@mg.example.org"}
    known |= {f"%recipient.{key}%": str(value) for key, value in (own or {}).get(email, {}).items()}

    def filled(text: str) -> str:
        text = re.sub(r"%[\w.]+%", lambda found: known.get(found[0].lower(), found[0]), text)
        return re.sub(r"%recipient\.[^%\s]*%", "", text) if own is not None else text

    def one(field: str) -> str | None:
        return filled(form[field][0]) if form.get(field) else None

    def switch(field: str) -> bool | None:
        return None if not form.get(field) else form[field][0] != "no"

    variables: dict[str, Any] = {
        key: filled(value) if isinstance(value, str) else value
        for key, value in json.loads(form["t:variables"][0] if form.get("t:variables") else "{}").items()
    }
    attachments: list[FileTaken] = [
        (part.filename or "", part.content, part.content_type.partition(";")[0].strip().lower(),
         part.filename if part.name == "inline" else None)
        for part in files
    ]  # fmt: skip
    at = form.get("o:deliverytime")
    ours = {"o:tag", "o:deliverytime", "o:tracking-opens", "o:tracking-clicks", "t:variables"}
    return Delivered(
        message_id,
        _addresses(form, "from")[0],
        to,
        _addresses(form, "cc"),
        _addresses(form, "bcc"),
        _pairs(form["h:Reply-To"][0], "h:Reply-To") if form.get("h:Reply-To") else [],
        one("subject"),
        one("text"),
        one("html"),
        {field[2:]: filled(form[field][0]) for field in form if field[:2] == "h:" and field != "h:Reply-To"},
        list(form.get("o:tag", [])),
        {field[2:]: filled(form[field][0]) for field in form if field[:2] == "v:"},
        attachments,
        form["template"][0] if form.get("template") else None,
        variables,
        None if not at else int(parsedate_to_datetime(at[0]).timestamp()),
        switch("o:tracking-opens"),
        switch("o:tracking-clicks"),
        {field: values for field, values in form.items() if field[:2] in {"o:", "t:"} and field not in ours},
    )


def _refuse(status: int, message: str) -> NoReturn:
    raise Refused(HttpAnswer(status, json.dumps({"message": message}).encode(), {"Content-Type": "application/json"}))
