"""What is refused before anything is sent."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poststack import PostStack
from poststack._checks import LARGEST_ATTACHMENT, LARGEST_EMAIL, check_attachment_sizes, checked_batch, checked_email
from tests.scripted import ScriptedTransport, accepted

EMAIL: dict[str, Any] = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "s", "text": "t"}


def refused(says: str, **changes: Any) -> None:
    transport = ScriptedTransport(accepted())
    email: Any = {**EMAIL, **changes}

    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        PostStack("sk_test_x", transport=transport).emails.send(email)

    assert transport.requests == []
    assert "ada@example.com" not in str(caught.value)


@pytest.mark.parametrize("line_break", ["\r", "\n", "\r\n", "\x00"])
@pytest.mark.parametrize("field", ["from", "subject", "reply_to"])
def test_a_line_break_cannot_add_headers(field: str, line_break: str) -> None:
    refused(f"`{field}`", **{field: f"ada@example.com{line_break}Bcc: eve@example.com"})


@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
def test_a_line_break_in_a_recipient_is_named_by_position(field: str) -> None:
    refused(f"`{field}[1]`", **{field: ["bob@example.com", "ada@example.com\nBcc: eve@example.com"]})


@pytest.mark.parametrize("to", [None, [], "", ()])
def test_an_email_to_nobody_is_refused(to: object) -> None:
    refused("`to`", to=to)


@pytest.mark.parametrize("to", [[""], [None], [17], {"ada@example.com"}, 17, {"a": "b"}])
def test_recipients_are_a_list_of_addresses(to: object) -> None:
    refused("to", to=to)


@pytest.mark.parametrize("sender", [None, "", 17, ["a@example.com"], {}])
def test_there_is_one_sender_and_it_is_text(sender: object) -> None:
    refused("from", **{"from": sender})


@pytest.mark.parametrize(
    "headers",
    [
        ["X: y"],
        {"X Y": "a"},
        {"X:": "a"},
        {"": "a"},
        {"X\n": "a"},
        {"É": "a"},
        {17: "a"},
        {"X": None},
        {"X": 1},
        {"X": "a\r\nBcc: eve@example.com"},
    ],
)
def test_headers_are_names_and_texts(headers: object) -> None:
    refused("headers", headers=headers)


@pytest.mark.parametrize(
    "attachment",
    [
        None,
        "file",
        {},
        {"filename": "a.txt"},
        {"content": "YQ=="},
        {"filename": "", "content": "YQ=="},
        {"filename": "a.txt", "content": b"bytes"},
        {"filename": "a\nb", "content": "YQ=="},
    ],
)
def test_an_attachment_needs_a_name_and_base64_text(attachment: object) -> None:
    refused("attachments[0]", attachments=[attachment])


def test_attachments_are_a_list() -> None:
    refused("`attachments`", attachments={"filename": "a.txt", "content": "YQ=="})


@pytest.mark.parametrize("email", [None, [], "text", 17])
def test_an_email_is_a_dictionary(email: Any) -> None:
    with pytest.raises(ValueError, match="dictionary"):
        checked_email(email)


def test_a_single_address_becomes_a_list_without_touching_the_callers_payload() -> None:
    email: Any = {**EMAIL, "to": "ada@example.com", "cc": "bob@example.com"}

    sent = checked_email(email)

    assert (sent["to"], sent.get("cc")) == (["ada@example.com"], ["bob@example.com"])
    assert email["to"] == "ada@example.com"


def test_what_is_unknown_passes_through() -> None:
    email: Any = {**EMAIL, "brand_new": {"a": 1}, "headers": {"X-A": "b"}, "cc": None, "attachments": []}

    assert checked_email(email) is email


def encoded(size: int) -> str:
    return base64.b64encode(b"\0" * size).decode()


@pytest.mark.parametrize("surplus", [0, 1])
def test_one_file_may_have_ten_million_bytes(surplus: int) -> None:
    email: Any = {**EMAIL, "attachments": [{"filename": "a.bin", "content": encoded(LARGEST_ATTACHMENT + surplus)}]}

    if surplus:
        with pytest.raises(ValueError, match="10,000,000"):
            checked_email(email)
    else:
        assert checked_email(email) is email


def test_all_files_together_may_have_twenty_five_million_bytes() -> None:
    check_attachment_sizes([("a", 9_000_000), ("b", 9_000_000), ("c", LARGEST_EMAIL - 18_000_000)])
    with pytest.raises(ValueError, match="25,000,001"):
        check_attachment_sizes([("a", 9_000_000), ("b", 9_000_000), ("c", LARGEST_EMAIL - 17_999_999)])


def test_line_breaks_in_base64_are_not_counted() -> None:
    content = base64.encodebytes(b"\0" * LARGEST_ATTACHMENT).decode()
    email: Any = {**EMAIL, "attachments": [{"filename": "a.bin", "content": content}]}

    assert checked_email(email) is email


@pytest.mark.parametrize("batch", [None, [], {}, {"emails": None}, {"emails": "text"}, {"emails": 17}])
def test_a_batch_is_a_list_under_emails(batch: Any) -> None:
    with pytest.raises(ValueError, match="batch is"):
        checked_batch(batch)


@pytest.mark.parametrize(("count", "passes"), [(0, False), (1, True), (100, True), (101, False)])
def test_a_batch_takes_one_to_a_hundred(count: int, passes: bool) -> None:
    batch: Any = {"emails": [EMAIL] * count}

    if passes:
        assert len(checked_batch(batch)["emails"]) == count
    else:
        with pytest.raises(ValueError, match="1 to 100"):
            checked_batch(batch)


def test_a_wrong_email_of_a_batch_is_named_by_position() -> None:
    nobody: list[str] = []
    batch: Any = {"emails": [EMAIL, {**EMAIL, "to": nobody}]}

    with pytest.raises(ValueError, match=r"emails\[1\]: .*to"):
        checked_batch(batch)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
fields = st.sampled_from(["from", "to", "cc", "bcc", "subject", "reply_to", "headers", "attachments"])


@given(st.dictionaries(fields, anything))
def test_any_payload_passes_or_is_a_value_error(email: Any) -> None:
    try:
        sent: Any = checked_email(email)
    except ValueError:
        return

    assert set(sent) == set(email)
