"""Addresses as people write them."""

from __future__ import annotations

from contextlib import suppress
from email.policy import default as modern_policy
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from poststack.mime import address_from, addresses_from, same_addresses


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a@example.com", "a@example.com"),
        ("  a@example.com ", "a@example.com"),
        ("<a@example.com>", "a@example.com"),
        ("Bob <a@example.com>", "Bob <a@example.com>"),
        ('"Doe, John" <j@example.com>', '"Doe, John" <j@example.com>'),
        ("Acme Inc. <a@example.com>", '"Acme Inc." <a@example.com>'),
        ("Zoë <z@exämple.com>", "Zoë <z@xn--exmple-cua.com>"),
        ("=?utf-8?q?Zo=C3=AB?= <z@example.com>", "Zoë <z@example.com>"),
        ("é@example.com", "é@example.com"),
        ("two..dots@example.com", "two..dots@example.com"),
        ("a@[127.0.0.1]", "a@[127.0.0.1]"),
        ("root", "root"),
        ("Root <root>", "Root <root>"),
    ],
)
def test_one_address(given: str, expected: str) -> None:
    assert address_from(given, "to") == expected


@pytest.mark.parametrize("given", ["a@example.com, b@example.com", "Doe, John <j@example.com>"])
def test_several_in_one_item_are_refused(given: str) -> None:
    with pytest.raises(ValueError, match="several addresses"):
        address_from(given, "to")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "@",
        "a@@example.com",
        "foo bar@example.com",
        "Bob a@example.com",
        "a@example.com junk",
        "Bob <a@example.com",
        "team: a@example.com;",
        "undisclosed-recipients:;",
        "two words",
    ],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="not an e-mail address"):
        address_from(given, "to")


def test_a_name_that_hides_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="hides a line break"):
        address_from("=?utf-8?q?a=0ABcc=3A_x?= <z@example.com>", "to")


# Python's parser answers these with IndexError, AttributeError, TypeError, RecursionError, as its version has it.
@pytest.mark.parametrize("given", ['"', ":q.=t@", ":;] (\t", "\t.[\\?=?=?utf-8?q?\t", "(" * 998])
def test_what_the_parser_trips_over_is_refused_like_everything_else(given: str) -> None:
    with pytest.raises(ValueError, match=r"not an e-mail address|hides a line break"):
        address_from(given, "to")
    with suppress(ValueError):  # As a header, newer Pythons read some of them as another address.
        assert not same_addresses(given, ["a@example.com"], "To")


def test_a_text_that_is_too_long_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(ValueError, match="longer than 998 characters"):
        address_from('"' * 50_000, "to")
    with pytest.raises(ValueError, match="longer than 998 characters"):
        same_addresses('"' * 50_000, ["a@example.com"], "To")

    many = [f"{'a' * 40}{number}@example.com" for number in range(50)]
    assert same_addresses(", ".join(reversed(many)), many, "To")


def test_half_a_character_is_called_what_it_is() -> None:
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        address_from("\ud800 <a@example.com>", "to")


def test_a_domain_that_has_no_ascii_form_is_refused() -> None:
    with pytest.raises(ValueError, match="ASCII"):
        address_from(f"a@{'ä' * 70}.com", "to")


def test_empty_items_are_left_out_as_django_does() -> None:
    assert addresses_from(["", None, "a@example.com"], "to") == ["a@example.com"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("Ada", "ada@example.com"), "Ada <ada@example.com>"),
        (["Ada", "ada@example.com"], "Ada <ada@example.com>"),
        (("Doe, John", "j@example.com"), '"Doe, John" <j@example.com>'),
        (('The "Boss"', "j@example.com"), '"The \\"Boss\\"" <j@example.com>'),
        (("a@b <c@d>", "j@example.com"), '"a@b <c@d>" <j@example.com>'),
        (("Zoë", "z@exämple.com"), "Zoë <z@xn--exmple-cua.com>"),
        (("", "ada@example.com"), "ada@example.com"),
        ((None, "ada@example.com"), "ada@example.com"),
        (("Two", "two..dots@example.com"), "Two <two..dots@example.com>"),
    ],
)
def test_a_name_and_an_address(given: object, expected: str) -> None:
    assert address_from(given, "to") == expected


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("Ada", "Bea <b@example.com>"), "name too"),
        (("Ada",), "not 1 values"),
        (("Ada", "x", "y"), "not 3 values"),
        (("Ada", "a@example.com, b@example.com"), "several"),
        (("Ada\r\nBcc: x", "a@example.com"), "line break"),
        (("=?utf-8?q?a=0ABcc=3A_x?=", "a@example.com"), "hides a line break"),
        (("Ada", None), "not an e-mail address"),
    ],
)
def test_pairs_that_are_no_address_are_refused(given: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        address_from(given, "to")


@hypothesis.given(name=st.text(), user=st.from_regex(r"[a-z]{1,9}", fullmatch=True))
def test_a_name_never_changes_who_gets_the_email(name: str, user: str) -> None:
    try:
        made = address_from((name, f"{user}@example.com"), "to")
    except ValueError:
        assert not name.isprintable() or "=?" in name
        return
    header: Any = modern_policy.header_factory("to", made)
    assert [address.addr_spec for address in header.addresses] == [f"{user}@example.com"]


@pytest.mark.parametrize("given", ["a@example.com", b"a@example.com"])
def test_one_text_where_a_list_belongs_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="list of addresses"):
        addresses_from(given, "to")
