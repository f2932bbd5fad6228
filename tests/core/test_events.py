"""Webhook signatures and events (poststack-api §6)."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poststack import PostStack, WebhookSignatureError
from poststack.events import construct_event, parse_event, sign, verify

BODY = (
    b'{"id":"evt_demo_1","type":"email.delivered","timestamp":"2026-01-02T03:04:05.678Z",'
    b'"data":{"email_id":"em_demo0000000000001"}}'
)
SECRET, OLD_SECRET = "demo-signing-secret", "demo-old-secret"
NEW = "c85aa533ffbdbc857eca7185d790ceae04bf687994af8795a06752aa2a548613"
OLD = "c85dfee8a6f7eebd7c99a28455470f56c6a46e48892c7166b302bf945ce0e5d6"


def test_the_documented_vectors_hold() -> None:
    note = '{"note":"é"}'

    assert len(BODY) == 126
    assert sign(BODY, SECRET) == f"sha256={NEW}"
    assert sign(BODY, [SECRET, OLD_SECRET]) == f"sha256={NEW},sha256={OLD}"
    assert sign(note, SECRET) == "sha256=0949b66ba86089eef4ae174260a30c1844c8260be7b22f9d35438ad360d15280"
    assert verify(note, sign(note.encode(), SECRET), SECRET)


@pytest.mark.parametrize(
    "header",
    [
        f"sha256={NEW}",
        f"sha256={OLD},sha256={NEW}",
        f"sha256={NEW},sha256={OLD}",
        f"  sha256={NEW}  ",
        f"sha256= {NEW} ",
        f"sha256={NEW.upper()}",
        f"sha512=ab,v1={OLD},sha256={NEW}",
        f"garbage,,=,sha256=,sha256=zz,sha256={NEW}",
        f"sha256={NEW},",
    ],
)
def test_a_matching_element_among_others_is_enough(header: str) -> None:
    assert verify(BODY, header, SECRET)
    assert verify(BODY.decode(), header, [OLD_SECRET + "x", SECRET])


@pytest.mark.parametrize(
    "header",
    [
        None,
        17,
        b"sha256=" + NEW.encode(),
        "",
        " ",
        ",",
        "sha256",
        "sha256=",
        "sha256=,",
        NEW,
        f"sha256:{NEW}",
        f"SHA256={NEW}",
        f"sha256 ={NEW}",
        f"xsha256={NEW}",
        f"sha1={NEW}",
        f"v1={NEW}",
        f"sha256={NEW[:-1]}",
        f"sha256={NEW[:-2]}",
        f"sha256={NEW}00",
        f"sha256=g{NEW[1:]}",
        f"sha256={NEW[:32]} {NEW[32:]}",
        f"sha256={NEW[:-1]}３",
        f"sha256={OLD}",
        f"sha256=sha256={NEW}",
        f"t=1,v1={NEW}",
        "sha256=" + "0" * 100_000,
        "sha256=" + "é" * 64,
    ],
)
def test_everything_else_is_false_and_never_an_error(header: Any) -> None:
    assert not verify(BODY, header, SECRET)
    assert not PostStack("sk_test_x").webhooks.verify(BODY, header, SECRET)
    with pytest.raises(WebhookSignatureError):
        construct_event(BODY, header, SECRET)


def test_one_changed_byte_is_noticed() -> None:
    assert not verify(BODY + b"\n", f"sha256={NEW}", SECRET)
    assert not verify(BODY, f"sha256={NEW}", SECRET + " ")


@pytest.mark.parametrize("secret", ["", [], [""], [SECRET, ""], (), None, [None], SECRET.encode()])
def test_no_secret_trusts_nobody(secret: Any) -> None:
    with pytest.raises(ValueError, match="secret"):
        sign(BODY, secret)
    with pytest.raises(ValueError, match="secret"):
        verify(BODY, f"sha256={NEW}", secret)


def test_an_event_is_constructed_from_what_is_signed() -> None:
    event = construct_event(BODY, f"sha256={OLD}", [SECRET, OLD_SECRET])

    assert (event.id, event.type, event.email_id) == ("evt_demo_1", "email.delivered", "em_demo0000000000001")
    assert event.timestamp == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=timezone.utc)
    assert event.data == {"email_id": "em_demo0000000000001"}
    assert "em_demo" not in repr(event.data) or "data" not in repr(event)


def test_an_event_without_an_id_is_known_by_its_body() -> None:
    body = b'{"type":"contact.created","data":{}}'

    assert parse_event(body).id == parse_event(body.decode()).id
    assert parse_event(body).id != parse_event(body + b" ").id
    assert parse_event(b'{"id":17,"type":"x"}').id.startswith("sha256:")


@pytest.mark.parametrize(
    ("timestamp", "parsed"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)),
        ("2026-01-02T05:04:05+02:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
        (17, None),
        (None, None),
    ],
)
def test_timestamps_are_in_utc_or_none(timestamp: object, parsed: datetime | None) -> None:
    assert parse_event(json.dumps({"type": "x", "timestamp": timestamp})).timestamp == parsed


@pytest.mark.parametrize("data", [None, [], "text", 17, {}, {"email_id": None}, {"email_id": 17}, {"email_id": ""}])
def test_fields_may_be_missing(data: object) -> None:
    event = parse_event(json.dumps({"type": "brand.new", "data": data}))

    assert event.type == "brand.new"
    assert event.email_id is None


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"42", b"{}", b'{"type":""}', b'{"type":17}', b"\xff\xfe\xfd", b"[" * 200_000]
)
def test_what_is_no_event_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="webhook body"):
        parse_event(body)
    with pytest.raises(ValueError, match="webhook body") as caught:
        construct_event(body, sign(body, SECRET), SECRET)
    assert not isinstance(caught.value, WebhookSignatureError)


@given(st.binary(), st.text() | st.none())
def test_no_body_and_no_header_crash_the_check(body: bytes, header: str | None) -> None:
    assert not verify(body, header, SECRET)
    assert verify(body, f"{header},{sign(body, SECRET)}", SECRET)


@given(st.text())
def test_text_of_any_kind_is_signed_or_refused(text: str) -> None:
    assert verify(text, sign(text, SECRET), SECRET)
