"""Going over the pages of a server that need not be honest."""

from __future__ import annotations

import json

import pytest

from poststack import PostStack, PostStackError, PostStackResponseError
from tests.scripted import ScriptedTransport, response


def pages(*bodies: object) -> tuple[PostStack, ScriptedTransport]:
    transport = ScriptedTransport(*(response(200, json.dumps(body).encode()) for body in bodies))
    return PostStack("sk_test_x", transport=transport), transport


def page(items: list[object], last: object) -> dict[str, object]:
    return {"data": items, "meta": {"page": 1, "perPage": 2, "total": 0, "totalPages": last}}


@pytest.mark.parametrize(
    "body",
    [
        page([], "3"),
        page([], None),
        {"data": {}, "meta": {"totalPages": 1}},
        {"data": [], "meta": []},
        {"data": []},
        [],
    ],
)
def test_a_page_that_is_none_is_an_error(body: object) -> None:
    client, _ = pages(body)

    with pytest.raises(PostStackResponseError):
        list(client.emails.iterate())


def test_an_empty_page_ends_it_whatever_the_server_says_of_more() -> None:
    client, transport = pages(page([{"publicId": "em_1"}], 1_000_000), page([], 1_000_000))

    assert len(list(client.emails.iterate())) == 1
    assert len(transport.requests) == 2


def test_a_page_is_fetched_when_its_first_item_is_wanted() -> None:
    client, transport = pages(page([{"publicId": "em_1"}], 9))

    items = client.emails.iterate({"page": 4})
    assert transport.requests == []
    next(items)

    assert [request.url.rpartition("?")[2] for request in transport.requests] == ["page=4"]


def test_a_failure_on_the_way_is_raised_after_what_came_before() -> None:
    client, _ = pages(page([{"publicId": "em_1"}], 2), {})
    items = client.emails.iterate()

    assert next(items)["publicId"] == "em_1"
    with pytest.raises(PostStackError):
        next(items)
