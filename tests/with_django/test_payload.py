"""Everything a Django message says is in the payload, or it is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.utils.functional import lazystr

from poststack_django.payload import payload_from


def message(*, tags: Any = None, idempotency_key: Any = None, **fields: Any) -> EmailMultiAlternatives:
    given: dict[str, Any] = {
        "subject": "Hi",
        "body": "Text",
        "from_email": "a@example.com",
        "to": ["b@example.com"],
        **fields,
    }
    made = EmailMultiAlternatives(**given)
    vars(made).update({"tags": tags, "idempotency_key": idempotency_key})
    return made


def test_empty_parts_give_no_keys() -> None:
    assert payload_from(EmailMessage("Hi", "Text", "a@example.com", ["b@example.com"])) == {
        "from": "a@example.com",
        "to": ["b@example.com"],
        "subject": "Hi",
        "text": "Text",
    }


def test_every_envelope_field_is_mapped() -> None:
    payload = payload_from(
        message(
            cc=["c@example.com"],
            bcc=["d@example.com"],
            reply_to=["e@example.com"],
            headers={"X-Number": 7},
            tags=["receipt", lazystr("new")],
            idempotency_key="order-1",
        )
    )

    assert payload == {
        "from": "a@example.com",
        "to": ["b@example.com"],
        "cc": ["c@example.com"],
        "bcc": ["d@example.com"],
        "reply_to": "e@example.com",
        "subject": "Hi",
        "text": "Text",
        "headers": {"X-Number": "7"},
        "tags": ["receipt", "new"],
        "idempotency_key": "order-1",
    }


def test_lazy_texts_become_texts() -> None:
    lazy: Any = message(subject=lazystr("Hi"), body=lazystr("Text"), headers={"X-A": lazystr("v")})
    lazy.from_email, lazy.to = lazystr("a@example.com"), [lazystr("b@example.com")]
    lazy.attach_alternative(lazystr("<p>x</p>"), "text/html")

    payload = payload_from(lazy)
    assert {type(value) for name, value in payload.items() if name in {"subject", "text", "html", "from"}} == {str}
    assert payload["to"] == ["b@example.com"]


# Bodies


def test_html_alternative() -> None:
    one = message()
    one.attach_alternative("<p>Text</p>", "text/html; charset=utf-8")

    payload = payload_from(one)
    assert (payload.get("text"), payload.get("html")) == ("Text", "<p>Text</p>")


def test_an_html_body_is_html() -> None:
    one = message(body="<p>Hi</p>")
    one.content_subtype = "html"
    one.attach_alternative("Hi", "text/plain")

    payload = payload_from(one)
    assert (payload.get("html"), payload.get("text")) == ("<p>Hi</p>", "Hi")


def test_html_alone_has_no_empty_text_beside_it() -> None:
    one = message(body="")
    one.attach_alternative("<p>Hi</p>", "text/html")

    assert "text" not in payload_from(one)


def test_no_body_at_all_is_an_empty_text() -> None:
    assert payload_from(message(body="")).get("text") == ""


def test_bytes_are_decoded_in_the_messages_charset() -> None:
    one: Any = message()
    one.body, one.encoding = "é".encode("iso-8859-1"), "iso-8859-1"

    assert payload_from(one).get("text") == "é"


@pytest.mark.parametrize("mimetype", ["text/calendar", "text/x-amp-html", "application/json"])
def test_other_alternatives_are_refused(mimetype: str) -> None:
    one = message()
    one.attach_alternative("x", mimetype)

    with pytest.raises(ValueError, match=mimetype):
        payload_from(one)


@pytest.mark.parametrize("mimetype", ["text/html", "text/plain"])
def test_a_second_body_of_one_type_is_refused(mimetype: str) -> None:
    one = message()
    one.attach_alternative("<p>1</p>", "text/html")
    one.attach_alternative("2", mimetype)

    with pytest.raises(ValueError, match="two bodies"):
        payload_from(one)


def test_other_subtypes_are_refused() -> None:
    one = message()
    one.content_subtype = "enriched"

    with pytest.raises(ValueError, match="enriched"):
        payload_from(one)


def test_a_body_in_another_charset_is_refused() -> None:
    one: Any = message()
    one.body = b"\xff\xfe"

    with pytest.raises(ValueError, match="not utf-8"):
        payload_from(one)


# Headers


@pytest.mark.parametrize("name", ["From", "from", "FROM"])
def test_a_from_header_is_the_sender(name: str) -> None:
    payload = payload_from(message(headers={name: "Shop <shop@example.com>"}))

    assert payload["from"] == "Shop <shop@example.com>"
    assert "headers" not in payload


def test_a_reply_to_header_counts_over_the_list() -> None:
    one = message(headers={"reply-to": "x@example.com"}, reply_to=["y@example.com"])

    assert payload_from(one).get("reply_to") == "x@example.com"


def test_a_to_header_with_the_same_recipients_is_fine() -> None:
    payload = payload_from(message(to=["b@EXÄMPLE.com"], headers={"To": "Bea <b@exämple.com>"}))

    assert payload["to"] == ["b@xn--exmple-cua.com"]


@pytest.mark.parametrize("header", ["To", "Cc", "cc"])
def test_showing_other_recipients_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="other recipients"):
        payload_from(message(headers={header: "list@example.com"}))


@pytest.mark.parametrize("name", ["Bcc", "bcc", "Content-Type", "Received", "Subject", "MIME-Version"])
def test_structural_headers_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        payload_from(message(headers={name: "x"}))


def test_a_header_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        payload_from(message(headers={"X-A": "1", "x-a": "2"}))


def test_a_header_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="not None"):
        payload_from(message(headers={"X-A": None}))


# Refusals


@pytest.mark.parametrize("evil", ["a\nBcc: x@example.com", "a\r\nb", "a\rb", "a\x00b", "a\n"])
@pytest.mark.parametrize(
    "place", ["subject", "header name", "header value", "to", "cc", "bcc", "reply_to", "from", "tag"]
)
def test_line_breaks_are_refused_everywhere(place: str, evil: str) -> None:
    one: Any = message()
    address = f"{evil} <b@example.com>"
    match place:
        case "subject":
            one.subject = evil
        case "header name":
            one.extra_headers = {evil: "x"}
        case "header value":
            one.extra_headers = {"X-A": evil}
        case "from":
            one.from_email = address
        case "tag":
            one.tags = [evil]
        case _:
            setattr(one, place, [address])

    with pytest.raises(ValueError, match=r"line break|no header name"):
        payload_from(one)


def test_two_reply_addresses_are_refused() -> None:
    with pytest.raises(ValueError, match="takes one"):
        payload_from(message(reply_to=["x@example.com", "y@example.com"]))


def test_hidden_recipients_alone_are_refused() -> None:
    with pytest.raises(ValueError, match="no `to`"):
        payload_from(message(to=[], bcc=["b@example.com"]))


@pytest.mark.parametrize("tags", ["welcome", 7])
def test_tags_are_a_list(tags: object) -> None:
    with pytest.raises(ValueError, match="list of texts"):
        payload_from(message(tags=tags))


def test_a_key_that_cannot_be_stored_is_refused() -> None:
    with pytest.raises(ValueError, match="255"):
        payload_from(message(idempotency_key="x" * 256))


def test_errors_do_not_quote_the_message() -> None:
    with pytest.raises(ValueError, match="to") as caught:
        payload_from(message(to=["secret person"]))

    assert "secret" not in str(caught.value)


def test_a_class_that_makes_its_own_mime_is_refused_not_flattened() -> None:
    class SignedMessage(EmailMessage):
        def message(self, **kwargs: Any) -> Any:
            return super().message(**kwargs)

    with pytest.raises(ValueError, match=r"SignedMessage overrides message\(\)"):
        payload_from(SignedMessage("Hi", "Text", "a@example.com", ["b@example.com"]))
