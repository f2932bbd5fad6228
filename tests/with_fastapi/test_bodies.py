"""E-mails and addresses as bodies of requests: what is let through is what the API takes."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import timezone
from email.policy import default as modern_policy
from typing import Annotated, Any

import pytest
from fastapi import Body, FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from starlette.testclient import TestClient

from poststack import checked_email
from poststack.testing import emulator
from poststack.types import SendEmail
from poststack_fastapi import Address, AttachmentBody, EmailBody, PostStackDep, TrackingBody, get_poststack

MINIMAL: dict[str, Any] = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}
FULL: dict[str, Any] = {
    "from": '"Acme, Inc." <hello@example.com>',
    "to": ["Ada <ada@example.com>", {"email": "bob@example.com", "name": 'Bob "B" Smith'}],
    "cc": ["carol@example.com"],
    "bcc": [{"email": "dan@example.com"}],
    "reply_to": "Help <help@example.com>",
    "subject": "Your receipt",
    "html": "<p>Thank you.</p>\r\n",
    "text": "Thank you.\r\n",
    "headers": {"X-Order": "1042"},
    "tags": ["receipt"],
    "attachments": [{"filename": "a.txt", "content": "aGVs\r\nbG8=", "content_type": "text/plain", "content_id": "a"}],
    "idempotency_key": "order-1042",
    "idempotency_window_hours": 24,
    "scheduled_at": "2031-01-02T03:04:05+02:00",
    "template_id": "tpl_1",
    "variables": {"name": "Ada"},
    "unsubscribe": True,
    "signature": "none",
    "tracking": {"opens": False},
}


def errors_of(model: type[BaseModel], value: Any) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as raised:
        model.model_validate(value)
    return [(error["loc"], error["msg"]) for error in raised.value.errors()]


def encoded(size: int) -> str:
    return base64.b64encode(bytes(size)).decode()


@pytest.mark.parametrize(
    ("given_", "email", "name", "header"),
    [
        ("ada@example.com", "ada@example.com", None, "ada@example.com"),
        (" <ada@example.com> ", "ada@example.com", None, "ada@example.com"),
        ("Ada Byron <ada@example.com>", "ada@example.com", "Ada Byron", "Ada Byron <ada@example.com>"),
        ("Ada B. <ada@example.com>", "ada@example.com", "Ada B.", '"Ada B." <ada@example.com>'),
        ('"Byron, Ada" <ada@example.com>', "ada@example.com", "Byron, Ada", '"Byron, Ada" <ada@example.com>'),
        ('"Ada \\"A\\"" <ada@example.com>', "ada@example.com", 'Ada "A"', '"Ada \\"A\\"" <ada@example.com>'),
        ("Zoë Łukasz <z@example.com>", "z@example.com", "Zoë Łukasz", "Zoë Łukasz <z@example.com>"),
        ("Ada <ada@bücher.example>", "ada@bücher.example", "Ada", "Ada <ada@xn--bcher-kva.example>"),
        ("ada@faß.example", "ada@faß.example", None, "ada@xn--fa-hia.example"),
        ({"email": "ada@example.com"}, "ada@example.com", None, "ada@example.com"),
        ({"email": "ada@example.com", "name": ""}, "ada@example.com", None, "ada@example.com"),
        ({"email": "ada@example.com", "name": " <b@c.de>, x"}, "ada@example.com", "<b@c.de>, x",
         '"<b@c.de>, x" <ada@example.com>'),
    ],
)  # fmt: skip
def test_an_address_is_read_in_every_form_and_written_as_a_header(
    given_: Any, email: str, name: str | None, header: str
) -> None:
    address = Address.model_validate(given_)

    assert (address.email, address.name, str(address)) == (email, name, header)


@pytest.mark.parametrize(
    "given_",
    [
        "", "ada", "ada@", "@example.com", "ada@example", "a@b@example.com", "ada @example.com", "ada@exa mple.com",
        "ada@example.com, bob@example.com", "Byron, Ada <ada@example.com>", "a@example.com; Bob <b@example.com>",
        "Ada <ada@example.com> <bob@example.com>", "Ada <ada@example.com", 'Ada "A" Byron <ada@example.com>',
        "ada@example.com\r\nBcc: eve@example.com", "Ada\nX: 1 <ada@example.com>", "ada@example.com\0",
        "=?utf-8?q?Ada=0D=0ABcc=3A?= <ada@example.com>",
        {"email": "Ada <ada@example.com>"}, {"email": "ada@example.com\n"}, {"name": "Ada"},
        {"email": "ada@example.com", "name": "Ada\r\nBcc: eve@example.com"},
        {"email": "ada@example.com", "name": "=?utf-8?B?QWRh?="},
        {"email": "ada@example.com", "nick": "Ada"}, {"email": ["ada@example.com"]}, ["ada@example.com"], 5, None,
    ],
)  # fmt: skip
def test_what_is_not_one_address_is_refused_without_showing_it(given_: Any) -> None:
    with pytest.raises(ValidationError) as raised:
        Address.model_validate(given_)

    assert "ada@" not in str(raised.value)
    assert "eve@" not in str(raised.value)


@given(st.text(max_size=30), st.sampled_from(["ada@example.com", "a.b+c@mail.example.com", "z@bücher.example"]))
def test_a_name_of_any_kind_stays_one_name_of_one_address(name: str, email: str) -> None:
    try:
        address = Address(email=email, name=name)
    except ValidationError:
        return

    assert Address.model_validate(str(address)).name == address.name
    header: Any = modern_policy.header_factory("to", str(address))
    assert len(header.addresses) == 1
    assert checked_email({"from": str(address), "to": [str(address)]})


def test_a_repr_shows_nobody_and_a_set_holds_each_once() -> None:
    address, again = Address.model_validate("Ada <ada@example.com>"), Address(email="ada@example.com", name="Ada")
    body = EmailBody.model_validate({**FULL, "to": [address]})

    assert {address, again} == {address}
    assert repr(address) == "Address(email='…@example.com')"
    assert "ada" not in (repr(body) + str(body)).lower()
    assert "order-1042" not in repr(body)


def test_without_email_validator_the_shape_is_checked() -> None:
    program = (
        "import sys; sys.modules['email_validator'] = None\n"
        "from pydantic import ValidationError\n"
        "from poststack_fastapi import Address\n"
        "for text in ['Ada <ada@shop.test>', 'a.b+c@mail.example.com']:\n"
        "    print(Address.model_validate(text).email)\n"
        "for text in ['ada', 'a@b', 'a b@c.de', 'a@b@c.de', 'a@bücher.de', 'a@1.2.3.4', 'a@-b.de', '(a)@b.de',\n"
        "             'a' * 250 + '@b.de', 'a@b.de\\n', 'a@b.de, c@d.de']:\n"
        "    try:\n"
        "        print('taken', Address.model_validate(text))\n"
        "    except ValidationError as error:\n"
        "        assert text not in str(error)\n"
        "print(Address.model_json_schema()['anyOf'][1]['properties']['email']['format'])\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)

    assert done.stdout.split() == ["ada@shop.test", "a.b+c@mail.example.com", "email"], done.stderr


def test_the_payload_is_what_the_api_takes() -> None:
    payload = EmailBody.model_validate(FULL).payload()

    assert payload == {
        **FULL,
        "to": ["Ada <ada@example.com>", '"Bob \\"B\\" Smith" <bob@example.com>'],
        "bcc": ["dan@example.com"],
        "attachments": [{**FULL["attachments"][0], "content": "aGVsbG8="}],
        "scheduled_at": "2031-01-02T01:04:05Z",
    }
    assert checked_email(payload) == payload
    assert set(payload) == set(SendEmail.__annotations__)


def test_fields_that_are_not_given_are_not_sent() -> None:
    nothing = dict.fromkeys(set(FULL) - set(MINIMAL))

    assert EmailBody.model_validate({**nothing, **MINIMAL}).payload() == MINIMAL


def test_python_code_names_the_sender_with_an_underscore() -> None:
    ada = Address(email="ada@example.com")
    body = EmailBody(from_=ada, to=[ada], subject="Hi", text="x", tracking=TrackingBody(clicks=True))

    assert body.payload() == {
        "from": "ada@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "x", "tracking": {"clicks": True}
    }  # fmt: skip
    assert body.model_dump(by_alias=True, exclude_none=True)["from"] == {"email": "ada@example.com"}


@pytest.mark.parametrize(
    ("changes", "where", "what"),
    [
        ({"from": None}, ("from",), "dictionary or instance"),
        ({"to": []}, ("to",), "at least 1 item"),
        ({"to": "ada@example.com"}, ("to",), "list"),
        ({"to": ["ada@example.com", "bob"]}, ("to", 1, "email"), "valid email"),
        ({"subject": "Hi\r\nBcc: eve@example.com"}, ("subject",), "line break"),
        ({"subject": "Hi\0"}, ("subject",), "line break or a NUL"),
        ({"reply_to": "ada@example.com\nX: 1"}, ("reply_to",), "line break"),
        ({"subject": None}, (), "template_id"),
        ({"text": None}, (), "`html` or `text`"),
        ({"template_id": ""}, ("template_id",), "at least 1 character"),
        ({"headers": {"X Y": "1"}}, ("headers", "X Y", "[key]"), "pattern"),
        ({"headers": {"X-Y:": "1"}}, ("headers", "X-Y:", "[key]"), "pattern"),
        ({"headers": {"X-Y": "1\n2"}}, ("headers", "X-Y"), "line break"),
        ({"tags": ["a\nb"]}, ("tags", 0), "line break"),
        ({"scheduled_at": "2031-01-02T03:04:05"}, ("scheduled_at",), "timezone"),
        ({"scheduled_at": "0001-01-01T00:00:00+14:00"}, ("scheduled_at",), "before the year 1"),
        ({"signature": "some"}, ("signature",), "'auto' or 'none'"),
        ({"tracking": {"open": True}}, ("tracking", "open"), "Extra inputs"),
        ({"metadata": {}}, ("metadata",), "Extra inputs"),
        ({"variables": {"name": 5}}, ("variables", "name"), "string"),
        ({"attachments": [{"filename": "", "content": ""}]}, ("attachments", 0, "filename"), "at least 1"),
        ({"attachments": [{"filename": "a\nb", "content": ""}]}, ("attachments", 0, "filename"), "line break"),
        ({"attachments": [{"filename": "a", "content": "a"}]}, ("attachments", 0, "content"), "not base64"),
        ({"attachments": [{"filename": "a", "content": "YQ="}]}, ("attachments", 0, "content"), "not base64"),
        ({"attachments": [{"filename": "a", "content": "_-8="}]}, ("attachments", 0, "content"), "not base64"),
        ({"attachments": [{"filename": "a", "content": "ä"}]}, ("attachments", 0, "content"), "not base64"),
        ({"attachments": [{"filename": "a", "content": "", "content_type": "x"}]}, ("attachments", 0, "content_type"),
         "pattern"),
        ({"attachments": [{"filename": "a", "content": "", "content_id": "<a>"}]}, ("attachments", 0, "content_id"),
         "pattern"),
    ],
)  # fmt: skip
def test_each_mistake_is_found_where_it_is(changes: dict[str, Any], where: tuple[Any, ...], what: str) -> None:
    ((location, message),) = errors_of(EmailBody, {**MINIMAL, **changes})

    assert location == where
    assert what in message


def test_a_template_brings_subject_and_content() -> None:
    body = EmailBody.model_validate({"from": "a@example.com", "to": ["b@example.com"], "template_id": "tpl_1"})

    assert checked_email(body.payload()).get("template_id") == "tpl_1"


def test_files_are_taken_up_to_the_limits_to_the_byte() -> None:
    largest = {"filename": "a", "content": encoded(10_000_000)}
    half = {"filename": "b", "content": encoded(5_000_000)}
    body = EmailBody.model_validate({**MINIMAL, "attachments": [largest, largest, half]})

    assert [file.size for file in body.attachments or []] == [10_000_000, 10_000_000, 5_000_000]
    assert checked_email(body.payload())


def test_files_over_the_limits_are_refused() -> None:
    too_large = {"filename": "a", "content": encoded(10_000_001)}
    largest = {"filename": "a", "content": encoded(10_000_000)}
    too_much = {"filename": "b", "content": encoded(5_000_001)}

    ((where, what),) = errors_of(EmailBody, {**MINIMAL, "attachments": [too_large]})
    assert (where, "10,000,000" in what) == (("attachments", 0, "content"), True)
    ((where, what),) = errors_of(EmailBody, {**MINIMAL, "attachments": [largest, largest, too_much]})
    assert (where, "25,000,000" in what) == ((), True)


def test_the_text_of_an_error_shows_no_part_of_the_mail() -> None:
    mail = {**MINIMAL, "to": ["Secret Person <secret@"], "html": "secret", "attachments": [{"content": "secret!"}]}

    with pytest.raises(ValidationError) as raised:
        EmailBody.model_validate(mail)

    assert "secret" not in str(raised.value).lower()


class Invitation(BaseModel):
    guests: list[Address]
    note: str = ""


def test_models_of_ones_own_hold_addresses() -> None:
    invitation = Invitation.model_validate_json('{"guests": ["Ada <ada@example.com>", {"email": "bob@example.com"}]}')

    assert [str(guest) for guest in invitation.guests] == ["Ada <ada@example.com>", "bob@example.com"]
    assert Invitation.model_validate_json(invitation.model_dump_json()) == invitation
    assert errors_of(Invitation, {"guests": ["Ada"]})[0][0] == ("guests", 0, "email")


def application() -> FastAPI:
    app = FastAPI()

    @app.post("/emails")
    async def send(body: EmailBody, client: PostStackDep) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        return {"id": (await client.emails.send(body.payload()))["id"]}

    @app.post("/echo")
    async def echo(address: Annotated[Address, Body()]) -> Address:  # pyright: ignore[reportUnusedFunction]
        return address

    return app


def test_a_posted_body_is_sent() -> None:
    app = application()
    with emulator() as emu:
        client = emu.async_client()
        app.dependency_overrides[get_poststack] = lambda: client

        answer = TestClient(app).post("/emails", json={**MINIMAL, "to": ['"Byron, Ada" <ada@example.com>']})

        assert answer.json() == {"id": emu.sent[0].id}
        assert emu.sent[0].to == ["Byron, Ada <ada@example.com>"]


def test_a_wrong_body_is_fastapis_422() -> None:
    app = application()
    with emulator() as emu:
        client = emu.async_client()
        app.dependency_overrides[get_poststack] = lambda: client

        answer = TestClient(app).post("/emails", json={**MINIMAL, "to": ["ada"], "subject": "a\nb"})

        assert answer.status_code == 422
        assert [error["loc"] for error in answer.json()["detail"]] == [["body", "to", 0, "email"], ["body", "subject"]]
        assert emu.sent == []


def test_openapi_shows_the_apis_names_both_forms_of_an_address_and_an_example() -> None:
    schemas = application().openapi()["components"]["schemas"]
    body, address = schemas["EmailBody"], schemas["Address-Input"]

    assert set(body["properties"]) == set(SendEmail.__annotations__)
    assert (body["required"], body["additionalProperties"]) == (["from", "to"], False)
    assert body["properties"]["to"] == {
        "type": "array", "minItems": 1, "title": "To", "items": {"$ref": "#/components/schemas/Address-Input"}
    }  # fmt: skip
    assert body["properties"]["scheduled_at"]["anyOf"][0]["format"] == "date-time"
    assert body["properties"]["idempotency_window_hours"]["deprecated"]
    assert [form["type"] for form in address["anyOf"]] == ["string", "object"]
    assert address["anyOf"][1]["properties"]["email"]["format"] == "email"
    assert schemas["Address-Output"]["type"] == "object"
    for example in body["examples"]:
        assert checked_email(EmailBody.model_validate(example).payload()) == example
    for example in address["examples"]:
        assert str(Address.model_validate(example)) == example


def test_a_response_shows_the_parts_of_an_address() -> None:
    answer = TestClient(application()).post("/echo", json="Ada <ada@example.com>")

    assert answer.json() == {"email": "ada@example.com", "name": "Ada"}


def test_times_are_sent_in_utc() -> None:
    body = EmailBody.model_validate_json(json.dumps({**MINIMAL, "scheduled_at": "2031-01-02T03:04:05.123Z"}))

    assert body.scheduled_at is not None
    assert body.scheduled_at.tzinfo == timezone.utc
    assert body.payload().get("scheduled_at") == "2031-01-02T03:04:05.123000Z"


def test_an_attachment_is_of_use_in_other_models() -> None:
    assert AttachmentBody(filename="a.txt", content="YQ==").payload() == {"filename": "a.txt", "content": "YQ=="}
