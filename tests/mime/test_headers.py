"""Extra headers of a message."""

from __future__ import annotations

import pytest

from poststack.mime import headers_from


def test_names_are_kept_and_values_become_text() -> None:
    assert headers_from({"X-Number": 7, "x-other": "a"}) == {"X-Number": "7", "x-other": "a"}


def test_headers_that_are_fields_have_one_spelling() -> None:
    assert headers_from({"REPLY-TO": "a@example.com", "from": "b@example.com"}) == {
        "Reply-To": "a@example.com",
        "From": "b@example.com",
    }


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"Bcc": "x"}, "everybody would see"),
        ({"content-type": "text/html"}, "PostStack writes itself"),
        ({"X-A": "1", "x-a": "2"}, "twice"),
        ({"X A": "1"}, "no header name"),
        ({"X:A": "1"}, "no header name"),
        ({"": "1"}, "no header name"),
        ({"X-A": None}, "not None"),
        ({"X-A": ["1"]}, "not list"),
        ({"X-A": b"1"}, "not bytes"),
        ({"X-A": "1\r\nBcc: secret"}, "line break"),
        ({"X\nBcc": "1"}, "line break"),
    ],
)
def test_what_would_break_the_email_is_refused(given: dict[object, object], why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        headers_from(given)

    assert "secret" not in str(caught.value)
