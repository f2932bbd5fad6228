"""Errors of jobs, as result backends keep and rebuild them."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poststack import PostStackConnectionError, PostStackError, PostStackResponseError, PostStackTimeoutError
from poststack_tasks import BatchNotAllSentError, JobError, JobExpiredError
from poststack_tasks.errors import masked, without_addresses

ERRORS: list[Exception] = [
    PostStackError(422, "No", "unprocessable_entity", "req_1", {"x-request-id": "req_1"}, None),
    PostStackError(429, "Slow down", "rate_limit_exceeded", "req_2", {"retry-after": "2"}, 2.0),
    PostStackConnectionError(0, "No answer"),
    PostStackTimeoutError(0, "Too late"),
    PostStackResponseError(202, "No JSON", may_have_taken_effect=True),
    JobError("Wrong"),
    JobExpiredError("Late"),
    BatchNotAllSentError([{"id": "em_1"}, {"error": "No", "code": "unprocessable_entity"}]),
]


def fields(error: Exception) -> tuple[object, ...]:
    return (type(error), str(error), {name: value for name, value in vars(error).items() if name[0] != "_"})


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_rebuilt_from_its_arguments_as_json(error: Exception) -> None:
    rebuilt = type(error)(*json.loads(json.dumps(error.args)))

    assert fields(rebuilt) == fields(error)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickle(error: Exception, protocol: int) -> None:
    assert fields(pickle.loads(pickle.dumps(error, protocol))) == fields(error)


def test_a_batch_tells_who_was_refused_and_why() -> None:
    error = BatchNotAllSentError([{"id": "em_1"}, {"error": "Domain not verified"}, {"error": "No", "code": "x"}])

    assert error.refused == {1: "Domain not verified", 2: "No"}
    assert str(error) == (
        "2 of 3 e-mails of the batch were refused and the others are sent. emails[1]: Domain not verified"
    )
    assert str(BatchNotAllSentError([{"id": "em_1"}])) == "No e-mail of the batch was refused."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ada@example.org is suppressed", "[address] is suppressed"),
        ("Recipients <ada@example.org>, bob@example.org: no", "Recipients <[address]>, [address]: no"),
        ("'ada@example.org' and o'brien@example.org", "[address]' and [address]"),
        ('"john doe"@example.org is wrong', "[address] is wrong"),
        ("see /suppressions/ada%40example.org", "see [address]"),
        ("to=ada+tag@example.org;", "[address];"),
        ("ünï@exämple.org", "[address]"),
        ("At 5 @ noon, no address", "At 5 @ noon, no address"),
        ("", ""),
    ],
)
def test_addresses_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


@given(
    st.text(max_size=20),
    st.emails(),
    st.text(max_size=20),
)
def test_no_address_between_words_is_left(before: str, address: str, after: str) -> None:
    assert address not in masked(f"{before} {address} {after}")


def test_a_long_text_without_spaces_is_gone_through_once() -> None:
    # Quadratic, these would take hours.
    for text in ("a" * 2_000_000, "a'" * 1_000_000, '"' * 1_000_000, "a." * 1_000_000 + "@"):
        masked(text)


def test_an_error_for_logs_is_the_same_but_for_addresses() -> None:
    cause = OSError("refused")
    error = PostStackConnectionError(0, "ada@example.org: no", "x", "req_1", {"a": "b"}, 3.0, True)
    error.__cause__ = cause

    shown = without_addresses(error)

    assert type(shown) is PostStackConnectionError
    assert shown.args == (0, "[address]: no", "x", "req_1", {"a": "b"}, 3.0, True)
    assert shown.__cause__ is cause


def test_an_error_of_a_client_of_ones_own_is_kept_as_far_as_it_goes() -> None:
    class OwnError(PostStackError):
        def __init__(self, detail: str) -> None:
            super().__init__(503, detail, retry_after=7.0)

    shown = without_addresses(OwnError("ada@example.org"))

    assert (shown.status_code, shown.error, shown.retry_after) == (503, "[address]", 7.0)
