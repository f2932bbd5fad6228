"""What goes on the wire, and what is made of what comes back (poststack-api §1 and §2)."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poststack import PostStack, PostStackError, PostStackResponseError, _wire
from poststack._request import NO_BODY, Request, segment
from poststack.transports.base import HttpResponse
from poststack.types import Page, SentEmail, Suppression
from tests.every_call import CALLS
from tests.scripted import ScriptedTransport, response


def request(body: object = NO_BODY, **options: Any) -> Request[SentEmail]:
    return Request("POST", "/emails", SentEmail, body=body, **options)


def test_json_is_compact_in_utf8_and_in_the_callers_order() -> None:
    body = _wire.encode_body(request({"to": ["é@x"], "from": "a@b.c", "n": None, "t": True, "f": 1.5}))

    assert body == '{"to":["é@x"],"from":"a@b.c","n":null,"t":true,"f":1.5}'.encode()


def test_no_body_and_an_empty_body_differ() -> None:
    assert _wire.encode_body(request()) is None
    assert _wire.encode_body(request({})) == b"{}"


class Opaque:
    def __repr__(self) -> str:
        return "secret content"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"a": float("nan")}, "cannot be written as JSON"),
        ({"a": float("inf")}, "cannot be written as JSON"),
        ({"a": b"bytes"}, "bytes"),
        ({"a": Opaque()}, "Opaque"),
        ({"a": "\ud800"}, "surrogate"),
        ({(1, 2): "a"}, "keys"),
    ],
)
def test_what_json_cannot_say_is_refused_before_sending(body: object, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        _wire.encode_body(request(body))

    assert "secret content" not in str(caught.value)


def test_nesting_without_end_is_refused_before_sending() -> None:
    circle: list[object] = []
    circle.append(circle)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    for body in (circle, deep):
        with pytest.raises(ValueError, match="cannot be written as JSON"):
            _wire.encode_body(request(body))


@pytest.mark.parametrize(
    ("query", "target"),
    [
        (None, "/emails"),
        ({}, "/emails"),
        ({"page": None}, "/emails"),
        ({"page": 2, "tag": None, "to": "a b&c"}, "/emails?page=2&to=a+b%26c"),
        ({"published": True, "x": "é"}, "/emails?published=True&x=%C3%A9"),
    ],
)
def test_queries_are_written_as_the_published_sdk_does(query: Any, target: str) -> None:
    assert _wire.target(request(query=query)) == target


@pytest.mark.parametrize(
    ("value", "written"),
    [("a+b@ex.com", "a%2Bb%40ex.com"), ("a/b", "a%2Fb"), ("a b", "a%20b"), ("é", "%C3%A9"), (7, "7"), ("~._-", "~._-")],
)
def test_an_id_stays_one_path_segment(value: str | int, written: str) -> None:
    assert segment(value) == written


@pytest.mark.parametrize("value", ["", ".", "..", None, b"em_1", ["em_1"]])
def test_an_id_cannot_name_another_address(value: Any) -> None:
    with pytest.raises(ValueError, match="not an id"):
        segment(value)


def test_an_address_of_the_wrong_type_stays_out_of_the_error() -> None:
    address: Any = b"ada@example.com"

    with pytest.raises(ValueError, match="type bytes is not an id") as caught:
        segment(address)

    assert "ada" not in str(caught.value)


@given(st.text())
def test_no_id_leaves_its_segment(value: str) -> None:
    try:
        written = segment(value)
    except ValueError:
        return

    assert not set(written) & set("/?#%") - {"%"}
    assert written.isascii()


def test_headers_are_those_of_the_published_sdk_in_its_order() -> None:
    headers = _wire.request_headers("sk_test_x")

    assert list(headers) == [
        "Accept", "Accept-Encoding", "Connection", "Authorization", "Content-Type", "User-Agent",
    ]  # fmt: skip
    assert headers["Authorization"] == "Bearer sk_test_x"
    assert headers["User-Agent"].startswith("PostStack-Python-SDK/")
    assert "sk_test_x" not in repr(headers)


@pytest.mark.parametrize(
    ("key", "header"),
    [
        ("order-17", "order-17"),
        (" order 17 ", "order 17"),
        ("a\r\nX: y", "a%0D%0AX: y"),
        ("é", "%C3%A9"),
        ("5%", "5%25"),
    ],
)
def test_the_callers_key_is_the_header_too(key: str, header: str) -> None:
    transport = ScriptedTransport(response(202, {"id": "em_1"}))

    PostStack("sk_test_x", transport=transport).emails.send(
        {"from": "a@b.c", "to": ["a@b.c"], "subject": "s", "text": "t", "idempotency_key": key}
    )

    assert transport.keys == [header]


@pytest.mark.parametrize("key", ["", " \t\n", None, 17])
def test_a_key_that_is_none_is_replaced(key: Any) -> None:
    transport = ScriptedTransport(response(202, {"id": "em_1"}))

    PostStack("sk_test_x", transport=transport).emails.send(
        {"from": "a@b.c", "to": ["a@b.c"], "subject": "s", "text": "t", "idempotency_key": key}
    )

    assert len(transport.keys[0]) == 36


def test_text_and_bytes_are_returned_as_they_are() -> None:
    text = Request("GET", "/contacts/export", str)
    raw = Request("GET", "/attachment", bytes)

    assert _wire.decode(text, response(200, "ä".encode())) == "ä"
    assert _wire.decode(raw, response(200, b"\xff")) == b"\xff"
    with pytest.raises(PostStackResponseError, match="UTF-8"):
        _wire.decode(text, response(200, b"\xff"))


def test_the_keys_of_a_generic_answer_are_required() -> None:
    pages = Request("GET", "/suppressions", Page[Suppression])

    with pytest.raises(PostStackResponseError, match="'meta'"):
        _wire.decode(pages, response(200, {"data": []}, {"x-request-id": "req_1"}))


def test_an_error_says_all_that_the_api_said() -> None:
    error = _wire.error_from(
        response(429, {"error": "Slow", "code": "rate"}, {"x-request-id": "req_1", "retry-after": "3"}), 0.0
    )

    assert (error.status_code, error.error, error.code, error.request_id) == (429, "Slow", "rate", "req_1")
    assert error.retry_after == 3.0
    assert error.headers["x-request-id"] == "req_1"


def test_an_error_without_words_takes_the_reason_or_says_so() -> None:
    bare = response(500, b"")
    reasoned = type(bare)(502, {}, b"<html>", "Bad Gateway")

    assert _wire.error_from(bare, 0.0).error == "Unknown error"
    assert _wire.error_from(reasoned, 0.0).error == "Bad Gateway"


PROMISING_NO_JSON = {"contacts.export_csv", "inbound_emails.download_attachment"}
WRONG: list[object] = [[], "text", 42, None, True, {}, [{"id": 1}], {"unknown": 1}]


@pytest.mark.parametrize("body", WRONG, ids=repr)
def test_no_method_returns_what_the_api_does_not_promise(body: object) -> None:
    client = PostStack("sk_test_x", transport=ScriptedTransport(response(200, body)), max_retries=0)

    for call in CALLS:
        if call.method in PROMISING_NO_JSON:
            continue
        with pytest.raises(PostStackResponseError) as caught:
            operator.attrgetter(call.method)(client)(*call.arguments, **call.options)

        assert caught.value.status_code == 200, call
        assert caught.value.transient


def test_files_are_returned_as_they_are() -> None:
    body = b'\xef\xbb\xbf"email"\r\n"\xc3\xa9@example.com"\r\n'
    client = PostStack("sk_test_x", transport=ScriptedTransport(HttpResponse(200, {}, body)))
    broken = PostStack("sk_test_x", transport=ScriptedTransport(HttpResponse(200, {}, b"\xff")))

    assert client.inbound_emails.download_attachment(7, 8) == body
    assert client.contacts.export_csv().encode() == body
    with pytest.raises(PostStackResponseError, match="UTF-8"):
        broken.contacts.export_csv()


NO_PAGES: list[object] = [
    {"data": [], "meta": None},
    {"data": 1, "meta": {"totalPages": 1}},
    {"data": [], "meta": {}},
    {"data": [], "meta": {"totalPages": "2"}},
    {"data": None, "meta": []},
]


PAGING: dict[str, tuple[Callable[[PostStack], Iterator[Any]], str, str, str, str]] = {
    "emails": (lambda client: client.emails.iterate({"per_page": 2, "page": 1}), "/emails", "data", "meta", ""),
    "contacts": (lambda client: client.contacts.iterate({"per_page": 2}), "/contacts", "data", "meta", ""),
    "broadcasts": (lambda client: client.broadcasts.iterate({"per_page": 2}), "/broadcasts", "data", "meta", ""),
    "suppressions": (lambda client: client.suppressions.iterate({"per_page": 2}), "/suppressions", "data", "meta", ""),
    "templates": (lambda client: client.templates.iterate({"per_page": 2}), "/templates", "data", "meta", ""),
    "mailboxes": (lambda client: client.mailboxes.iterate({"per_page": 2}), "/mailboxes", "data", "meta", ""),
    "aliases": (
        lambda client: client.mailboxes.iterate_aliases({"per_page": 2}), "/mailboxes/aliases", "data", "meta", "",
    ),
    "inbound": (lambda client: client.inbound_emails.iterate({"per_page": 2}), "/inbound", "data", "meta", ""),
    "signup forms": (lambda client: client.signup_forms.iterate({"per_page": 2}), "/signup-forms", "data", "meta", ""),
    "members": (
        lambda client: client.segments.iterate_members("seg_1", {"per_page": 2}),
        "/segments/seg_1/members", "data", "meta", "",
    ),
    "subscribers": (
        lambda client: client.subscription_topics.iterate_subscribers("top_1", {"per_page": 2}),
        "/subscription-topics/top_1/subscribers", "data", "meta", "",
    ),
    "webhook deliveries": (
        lambda client: client.webhooks.iterate_deliveries(7, {"per_page": 2}),
        "/webhooks/7/deliveries", "deliveries", "pagination", "",
    ),
    "channel deliveries": (
        lambda client: client.notification_channels.iterate_deliveries("nc_1", {"per_page": 2}),
        "/notification-channels/nc_1/deliveries", "deliveries", "meta", "",
    ),
    "DMARC reports": (
        lambda client: client.domains.iterate_dmarc_reports(7, {"per_page": 2}),
        "/domains/7/dmarc/reports", "reports", "pagination", "perPage",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", PAGING)
def test_iterating_asks_for_every_page_once(what: str) -> None:
    iterate, path, items, meta, size = PAGING[what]
    answers = [
        response(200, {items: [{"id": number}], meta: {"page": number, "perPage": 1, "total": 3, "totalPages": 3}})
        for number in (1, 2, 3)
    ]
    transport = ScriptedTransport(*answers)

    found = [one["id"] for one in iterate(PostStack("sk_test_x", transport=transport))]

    assert found == [1, 2, 3]
    assert [request.url.partition("poststack.dev")[2] for request in transport.requests] == [
        f"{path}?{size or 'per_page'}=2&page={number}" for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("page", NO_PAGES)
def test_iterating_over_what_is_no_page_is_a_response_error(page: object) -> None:
    client = PostStack("sk_test_x", transport=ScriptedTransport(response(200, page)))

    everything = [
        client.emails.iterate(),
        client.contacts.iterate(),
        client.webhooks.iterate_deliveries(7),
        client.domains.iterate_dmarc_reports(7),
        client.notification_channels.iterate_deliveries("nc_1"),
    ]
    for items in everything:
        with pytest.raises(PostStackResponseError):
            list(items)


def test_iterating_ends_although_the_server_counts_pages_without_end() -> None:
    full = response(200, {"data": [{"id": 1}], "meta": {"totalPages": 10**12}})
    empty = response(200, {"data": [], "meta": {"totalPages": 10**12}})
    client = PostStack("sk_test_x", transport=ScriptedTransport(full, full, empty))

    assert len(list(client.emails.iterate({"page": 4}))) == 2


def test_every_method_is_called_with_what_it_requires_and_with_all_it_takes() -> None:
    client = PostStack("sk_test_x", transport=ScriptedTransport(response(200, {})))
    groups = {name: getattr(client, name) for name in dir(client) if not name.startswith("_") and name != "close"}
    ours = ("save_attachment", "save_csv", "send_many", "verify", "wait_until")
    methods = {
        f"{group}.{name}": inspect.signature(method)
        for group, methods in groups.items()
        for name, method in inspect.getmembers(methods, callable)
        if not name.startswith(("_", "iterate", *ours)) or f"{group}.{name}" == "domains.verify"
    }
    given = [(call.method, set(methods[call.method].bind(*call.arguments, **call.options).arguments)) for call in CALLS]

    assert len(methods) == 155
    for name, signature in methods.items():
        required = {one.name for one in signature.parameters.values() if one.default is one.empty}
        assert (name, required) in given
        assert (name, set(signature.parameters)) in given


def test_a_long_error_text_is_cut() -> None:
    assert len(_wire.error_from(response(400, {"error": "x" * 1_000_000}), 0.0).error) == 2_000


def test_errors_are_one_family() -> None:
    assert issubclass(PostStackResponseError, PostStackError)
