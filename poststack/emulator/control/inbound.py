"""`/_emulator/inbound`: a mail comes in, as somebody out there would send it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import Any

from poststack.emulator.api.addresses import address_list, parse_address
from poststack.emulator.api.answers import Reply, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.compose import attachments_of, headers_of
from poststack.emulator.api.fields import one_line, optional_text, required_text
from poststack.emulator.api.inbound import find_inbound, inbound_json
from poststack.emulator.api.routes import Route
from poststack.emulator.backend import Backend
from poststack.emulator.receiving.inbound import InboundEmail, InboundMessage
from poststack.emulator.receiving.mail_reader import ReadMail, checked_mail, message_id_in, read_mail
from poststack.emulator.receiving.reception import receive, remove, remove_all

__all__ = ["PATH", "ROUTES", "take_in"]

PATH = "/_emulator/inbound"
_MAX_ADDRESSES = 50
_MAX_SUBJECT = 998


def take_in(
    backend: Backend, mail: bytes | Mapping[str, Any], recipients: Sequence[str], now: float
) -> list[InboundEmail]:
    """Deliver a mail, as bytes or as JSON that describes it, to these addresses or to those it names.

    Raises the refusal of what is no mail, or is for nobody here.
    """
    named: Mapping[str, Any] = {"recipients": list(recipients)}
    if isinstance(mail, bytes):
        if not mail.strip():
            raise unprocessable("The mail is empty.")
        read = read_mail(mail)
    else:
        read = _composed(mail, message_id=f"<{backend.ids(18)}@inbound.emulator.test>", now=now)
        named = named if recipients else mail
    envelope = [address.address for address in address_list(named, "recipients", _MAX_ADDRESSES)]
    return receive(backend, read, envelope, now)


def _composed(content: Mapping[str, Any], *, message_id: str, now: float) -> ReadMail:
    sender = parse_address(required_text(content, "from"), "from")
    listed = {**content, "to": [content["to"]]} if isinstance(content.get("to"), str) else content
    to, cc = address_list(listed, "to", _MAX_ADDRESSES), address_list(listed, "cc", _MAX_ADDRESSES)
    reply_to = optional_text(content, "reply_to")
    answers = () if reply_to is None else (parse_address(reply_to, "reply_to"),)
    subject = one_line(optional_text(content, "subject") or "", "subject")
    if len(subject) > _MAX_SUBJECT:
        raise unprocessable(f"`subject` is longer than {_MAX_SUBJECT} characters.")
    given = {name.lower(): value for name, value in headers_of(content).items()}
    headers = {
        "from": str(sender),
        "to": ", ".join(map(str, to)),
        "cc": ", ".join(map(str, cc)),
        "reply-to": ", ".join(map(str, answers)),
        "subject": subject,
        "date": formatdate(now, usegmt=True),
        "message-id": message_id,
        **given,
    }
    message = InboundMessage(
        from_=sender,
        to=to,
        cc=cc,
        reply_to=answers,
        subject=subject,
        message_id=message_id_in(headers["message-id"]),
        html=optional_text(content, "html"),
        text=optional_text(content, "text"),
        headers={name: value for name, value in headers.items() if value},
    )
    return checked_mail(message, attachments_of(content))


def _receive(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() == "message/rfc822":
        named = [text.strip() for text in call.query.get("recipients", "").split(",")]
        received = take_in(backend, call.body, [text for text in named if text], call.now)
    else:
        received = take_in(backend, call.json(), [], call.now)
    return Reply(201, {"inboundEmails": [inbound_json(email) for email in received]})


def _delete(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    remove(backend.store, find_inbound(backend, arguments))
    return Reply(200, {"success": True})


def _delete_all(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"deleted": remove_all(backend.store)})


ROUTES = (
    Route("POST", PATH, _receive),
    Route("DELETE", PATH, _delete_all),
    Route("DELETE", PATH + "/{id}", _delete),
)
