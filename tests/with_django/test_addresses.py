"""Addresses as people write them."""

from __future__ import annotations

import pytest

from poststack_django.addresses import address_from, addresses_from


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


def test_a_domain_that_has_no_ascii_form_is_refused() -> None:
    with pytest.raises(ValueError, match="ASCII"):
        address_from(f"a@{'ä' * 70}.com", "to")


def test_empty_items_are_left_out_as_django_does() -> None:
    assert addresses_from(["", None, "a@example.com"], "to") == ["a@example.com"]
