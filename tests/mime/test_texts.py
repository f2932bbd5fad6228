"""Texts and bytes in the charset of a message."""

from __future__ import annotations

import pytest

from poststack.mime import bytes_from, refuse_half_characters, text_from


def test_bytes_are_read_in_the_charset() -> None:
    assert text_from(b"\xe9", "iso-8859-1", "body") == "é"
    assert text_from(bytearray("é", "utf-8"), "utf-8", "body") == "é"
    assert text_from("é", "ascii", "body") == "é"


def test_texts_are_written_in_the_charset() -> None:
    assert bytes_from("é", "iso-8859-1", "body") == b"\xe9"


def test_what_does_not_fit_the_charset_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="not utf-8") as caught:
        text_from(b"secret\xff", "utf-8", "body")
    assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="ascii has not") as caught:
        bytes_from("secreté", "ascii", "body")
    assert "secret" not in str(caught.value)


def test_a_charset_that_python_does_not_know_is_named() -> None:
    with pytest.raises(ValueError, match="'utf-9' is unknown"):
        text_from(b"a", "utf-9", "body")
    with pytest.raises(ValueError, match="'utf-9' is unknown"):
        bytes_from("a", "utf-9", "body")


@pytest.mark.parametrize("value", ["\ud800", {"a": ["\udfff"]}, {"\ud800": 1}, ["ok", "\ud83d"]])
def test_half_characters_are_found_wherever_they_are(value: object) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        refuse_half_characters({"field": value})


def test_whole_ones_are_let_through() -> None:
    refuse_half_characters({"field": ["😀", {"a": 1, "b": None}]})
