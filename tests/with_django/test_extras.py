"""PostStack's own features as attributes of any message, and the defaults for them."""

from __future__ import annotations

import copy
import pickle
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.utils.functional import lazystr

from poststack_django.backends import EmailBackend
from poststack_django.extras import DEFAULTABLE
from poststack_django.message import PostStackEmail, PostStackMixin
from poststack_django.models import SentEmail
from tests.with_django.api import RecordingApi
from tests.with_django.messages import message, status_of

pytestmark = pytest.mark.django_db

KINDS = [EmailMessage, PostStackEmail]

NAIVE = datetime(2027, 1, 31, 9)  # noqa: DTZ001  # as people write it
EAST = timezone(timedelta(hours=2))
# What is given, and what is sent of it.
SAID: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"tags": ["a", lazystr("b"), 7]}, {"tags": ["a", "b", "7"]}),
    ({"tags": ("a", "a")}, {"tags": ["a"]}),
    ({"tags": []}, {}),
    ({"template_id": "tpl_1"}, {"template_id": "tpl_1"}),
    ({"template_id": lazystr("tpl_1")}, {"template_id": "tpl_1"}),
    ({"template_id": ""}, {}),
    ({"variables": {"n": 7, "name": lazystr("Ada")}}, {"variables": {"n": "7", "name": "Ada"}}),
    ({"variables": {"sum": Decimal("1.50")}}, {"variables": {"sum": "1.50"}}),
    ({"variables": {"address": "Street 1\nTown"}}, {"variables": {"address": "Street 1\nTown"}}),
    ({"scheduled_at": datetime(2027, 1, 31, 9, tzinfo=timezone.utc)}, {"scheduled_at": "2027-01-31T09:00:00Z"}),
    ({"scheduled_at": datetime(2027, 1, 31, 9, tzinfo=EAST)}, {"scheduled_at": "2027-01-31T07:00:00Z"}),
    ({"scheduled_at": NAIVE}, {"scheduled_at": "2027-01-31T15:00:00Z"}),
    ({"scheduled_at": "2027-01-31T09:00:00+01:00"}, {"scheduled_at": "2027-01-31T08:00:00Z"}),
    ({"scheduled_at": " 2027-01-31 09:00 "}, {"scheduled_at": "2027-01-31T15:00:00Z"}),
    ({"scheduled_at": lazystr("2027-01-31T09:00:00Z")}, {"scheduled_at": "2027-01-31T09:00:00Z"}),
    ({"unsubscribe": True}, {"unsubscribe": True}),
    ({"unsubscribe": False}, {"unsubscribe": False}),
    ({"tracking": {"opens": False}}, {"tracking": {"opens": False}}),
    ({"tracking": True}, {"tracking": {"opens": True, "clicks": True}}),
    ({"signature": "none"}, {"signature": "none"}),
    ({"signature": lazystr("auto")}, {"signature": "auto"}),
    ({"idempotency_key": "order-1"}, {"idempotency_key": "order-1"}),
    ({"idempotency_key": UUID(int=7)}, {"idempotency_key": "00000000-0000-0000-0000-000000000007"}),
    ({"metadata": {"order": 7}}, {}),
]
PLAIN = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Subject 1", "text": "Body"}


def with_extras(kind: type[EmailMessage], **extras: Any) -> EmailMessage:
    if issubclass(kind, PostStackEmail):
        return kind("Subject 1", "Body", "a@example.com", ["b@example.com"], **extras)
    one = message()
    vars(one).update(extras)
    return one


def sent(api: RecordingApi) -> dict[str, Any]:
    (payload,) = api.payloads
    return payload


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("given", "expected"), SAID)
def test_every_attribute_is_sent(
    backend: EmailBackend,
    api: RecordingApi,
    settings: Any,
    kind: type[EmailMessage],
    given: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    settings.TIME_ZONE = "America/Chicago"
    backend.send_messages([with_extras(kind, **given)])

    keyed = {"idempotency_key": SentEmail.objects.get().idempotency_key}
    assert sent(api) == {**PLAIN, **keyed, **expected}


@pytest.mark.parametrize(
    "wrong",
    [
        {"tags": "receipt"},
        {"tags": {"a": 1}},
        {"tags": [None]},
        {"tags": [b"x"]},
        {"tags": 7},
        {"template_id": ["tpl_1"]},
        {"template_id": True},
        {"variables": ["a"]},
        {"variables": {"a": None}},
        {"variables": {"a": [1]}},
        {"variables": {"a": b"x"}},
        {"scheduled_at": "tomorrow"},
        {"scheduled_at": "2027-13-31T09:00:00Z"},
        {"scheduled_at": 1_800_000_000},
        {"scheduled_at": date(2027, 1, 31)},
        {"scheduled_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))},
        {"unsubscribe": "yes"},
        {"unsubscribe": 1},
        {"tracking": "opens"},
        {"tracking": {"open": True}},
        {"tracking": {"opens": "yes"}},
        {"signature": "mine"},
        {"signature": True},
        {"idempotency_key": True},
        {"idempotency_key": "x" * 256},
        {"metadata": ["a"]},
        {"metadata": {"a": object()}},
        {"metadata": {"a": float("nan")}},
        {"related_to": "order"},
        {"related_to": {"order": 1}},
        {"related_to": [7]},
        {"related_to": User()},
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_sent_is_refused_by_name(
    backend: EmailBackend, api: RecordingApi, kind: type[EmailMessage], wrong: dict[str, Any]
) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=f"^`{name}"):
        backend.send_messages([with_extras(kind, **wrong)])

    assert (api.payloads, SentEmail.objects.count()) == ([], 0)


def test_a_metadata_that_contains_itself_is_refused(backend: EmailBackend) -> None:
    endless: dict[str, Any] = {}
    endless["self"] = endless
    with pytest.raises(ValueError, match="`metadata`"):
        backend.send_messages([with_extras(EmailMessage, metadata=endless)])


def test_a_template_supplies_what_the_message_leaves_empty(backend: EmailBackend, api: RecordingApi) -> None:
    backend.send_messages([PostStackEmail(to=["b@example.com"], from_email="a@example.com", template_id="tpl_1")])

    assert api.payload == {"from": "a@example.com", "to": ["b@example.com"], "template_id": "tpl_1"}


def test_an_empty_template_supplies_nothing(backend: EmailBackend, api: RecordingApi) -> None:
    backend.send_messages([PostStackEmail(to=["b@example.com"], from_email="a@example.com", template_id="")])

    assert api.payload == {"from": "a@example.com", "to": ["b@example.com"], "subject": "", "text": ""}


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("esp_extra", {"x": 1}, "PostStackEmail"),
        ("merge_data", {"b@example.com": {}}, "one message for each"),
        ("merge_global_data", {"a": 1}, "variables"),
        ("merge_metadata", {"b@example.com": {}}, "one message for each"),
        ("merge_headers", {"b@example.com": {}}, "one message for each"),
        ("envelope_sender", "x@example.com", "bounces"),
        ("send_at", NAIVE, "scheduled_at"),
        ("track_opens", False, "tracking"),
        ("track_clicks", True, "tracking"),
    ],
)
def test_what_other_packages_call_it_is_refused_with_our_name_for_it(
    backend: EmailBackend, name: str, value: object, hint: str
) -> None:
    with pytest.raises(ValueError, match=f"`{name}`.*{hint}"):
        backend.send_messages([with_extras(EmailMessage, **{name: value})])


def test_messages_of_anymails_classes_send_what_they_say(backend: EmailBackend, api: RecordingApi) -> None:
    unset = type("UNSET", (), {})
    names = ["esp_extra", "metadata", "send_at", "tags", "track_clicks", "template_id", "merge_data", "envelope_sender"]
    backend.send_messages([with_extras(EmailMessage, **dict.fromkeys(names, unset))])

    assert api.payload == PLAIN


# Defaults


def test_defaults_of_the_project_and_what_messages_say_over_them(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK["SEND_DEFAULTS"] = {
        "tags": ["shop"],
        "variables": {"shop": "Kettle", "year": 2026},
        "tracking": {"opens": False, "clicks": True},
        "unsubscribe": True,
        "signature": "none",
        "headers": {"X-Shop": "1", "List-Id": "all"},
        "metadata": {"shop": 1, "by": "default"},
    }
    backend = EmailBackend()
    backend.send_messages([message()])
    own = {
        "tags": ["receipt", "shop"],
        "variables": {"year": 2027},
        "tracking": {"opens": True},
        "unsubscribe": False,
        "signature": "auto",
        "metadata": {"by": "message"},
    }
    one = with_extras(EmailMessage, **own)
    one.extra_headers = {"x-shop": "2"}
    backend.send_messages([one])

    plain, rich = api.payloads
    names = ("tags", "variables", "tracking", "unsubscribe", "signature", "headers")
    assert {name: plain[name] for name in names} == {
        "tags": ["shop"],
        "variables": {"shop": "Kettle", "year": "2026"},
        "tracking": {"opens": False, "clicks": True},
        "unsubscribe": True,
        "signature": "none",
        "headers": {"X-Shop": "1", "List-Id": "all"},
    }
    assert {name: rich[name] for name in names} == {
        "tags": ["shop", "receipt"],
        "variables": {"shop": "Kettle", "year": "2027"},
        "tracking": {"opens": True, "clicks": True},
        "unsubscribe": False,
        "signature": "auto",
        "headers": {"List-Id": "all", "x-shop": "2"},
    }
    assert list(SentEmail.objects.order_by("id").values_list("metadata", flat=True)) == [
        {"shop": 1, "by": "default"},
        {"shop": 1, "by": "message"},
    ]


def test_a_mailers_defaults_replace_those_of_the_same_name(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK["SEND_DEFAULTS"] = {"tags": ["shop"], "signature": "none"}
    EmailBackend(send_defaults={"tags": ["news"]}).send_messages([message()])

    assert (api.payload["tags"], api.payload["signature"]) == (["news"], "none")


WRONG_DEFAULTS: list[dict[str, Any]] = [
    {"tag": ["x"]},
    {"scheduled_at": "2027-01-31T09:00:00Z"},
    {"template_id": "tpl_1"},
    {"tags": "x"},
    {"variables": {"a": None}},
    {"unsubscribe": "yes"},
    {"signature": "mine"},
    {"tracking": {"open": True}},
    {"metadata": ["x"]},
    {"headers": ["X-A"]},
    {"headers": {"X-A": None}},
    {"headers": {"X-A": "1\r\nBcc: x@example.com"}},
    {"headers": {"X A": "1"}},
    {"headers": {"X-A\n": "1"}},
    {"headers": {"Bcc": "x@example.com"}},
    {"headers": {"Content-Type": "text/plain"}},
    {"headers": {"Subject": "x"}},
    {"headers": {"From": "x@example.com"}},
    {"headers": {"reply-to": "x@example.com"}},
    {"headers": {"X-A": "1", "x-a": "2"}},
]


@pytest.mark.parametrize("wrong", WRONG_DEFAULTS)
def test_defaults_that_no_message_could_be_sent_with_are_found_at_the_opening(
    api: RecordingApi, settings: Any, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ImproperlyConfigured, match="SEND_DEFAULTS") as caught:
        EmailBackend(send_defaults=wrong).open()
    settings.POSTSTACK["SEND_DEFAULTS"] = wrong
    with pytest.raises(ImproperlyConfigured, match="SEND_DEFAULTS"):
        EmailBackend(fail_silently=True).send_messages([message()])

    assert "x@example.com" not in str(caught.value)
    assert api.payloads == []


def test_defaults_that_are_no_dictionary_are_found_at_the_opening(api: RecordingApi) -> None:
    wrong: Any = ["tags"]
    with pytest.raises(ImproperlyConfigured, match="send_defaults is a dictionary, not list"):
        EmailBackend(send_defaults=wrong).open()


def test_the_defaults_that_exist_are_those_that_fit_every_message() -> None:
    assert set(DEFAULTABLE) == {"headers", "metadata", "signature", "tags", "tracking", "unsubscribe", "variables"}


# What is stored


def test_notes_and_related_objects_are_stored_and_never_sent(backend: EmailBackend, api: RecordingApi) -> None:
    ada, bob = User.objects.create(username="ada"), User.objects.create(username="bob")
    note = {"order": 7, "at": NAIVE, "id": UUID(int=1), "name": lazystr("Ada"), "half": "\ud800"}
    one = with_extras(EmailMessage, metadata=note, related_to=[ada, bob, ada])
    backend.send_messages([one, with_extras(EmailMessage, related_to=bob), message()])

    about = SentEmail.objects.related_to(ada).get()
    assert about.email_id == status_of(one).id
    assert about.metadata["order"] == 7
    assert about.metadata["name"] == "Ada"
    assert SentEmail.objects.related_to(bob).count() == 2
    assert SentEmail.objects.related_to(ada, bob).count() == 2
    assert SentEmail.objects.related_to().count() == 0
    assert not any({"metadata", "related_to"} & set(payload) for payload in api.payloads)


@pytest.mark.parametrize("address", ["b@example.com", "B@Example.COM", "Bea <b@example.com>"])
def test_emails_to_an_address_are_found_however_it_is_written(backend: EmailBackend, address: str) -> None:
    backend.send_messages([message(1), message(2, to=["x@example.com"], bcc=["Bea <b@Example.com>"])])
    backend.send_messages([message(3, to=["other@example.com"])])

    assert SentEmail.objects.sent_to(address).count() == 2


def test_emails_to_an_international_domain_are_found(backend: EmailBackend) -> None:
    backend.send_messages([message(to=["b@exämple.com"])])

    assert SentEmail.objects.sent_to("b@exämple.com").count() == 1
    assert SentEmail.objects.sent_to("B@xn--exmple-cua.com").count() == 1


# The classes


def rich() -> PostStackEmail:
    return PostStackEmail(
        "Subject",
        "Body",
        "a@example.com",
        ["b@example.com"],
        html="<p>Body</p>",
        cc=["c@example.com"],
        headers={"X-A": "1"},
        tags=["receipt"],
        idempotency_key="order-1",
        scheduled_at="2027-01-31T09:00:00Z",
        metadata={"order": 7},
    )


def pickled(one: PostStackEmail) -> Any:
    return pickle.loads(pickle.dumps(one))


COPIES: list[Any] = [copy.copy, copy.deepcopy, pickled]


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_says_the_same(backend: EmailBackend, api: RecordingApi, copied: Any) -> None:
    original = rich()
    other = copied(original)
    backend.send_messages([other])

    assert sent(api)["tags"] == ["receipt"]
    assert (sent(api)["html"], sent(api)["cc"], sent(api)["idempotency_key"]) == (
        "<p>Body</p>",
        ["c@example.com"],
        "order-1",
    )
    assert original.poststack_status is None
    assert status_of(copied(other)) == status_of(other)


def test_send_sends_it(mailer: str, api: RecordingApi) -> None:
    one = rich()

    assert one.send() == 1
    assert one.poststack_status is not None
    assert one.poststack_status.id == "em_1"


def test_a_class_of_ones_own_may_have_defaults_of_its_own(backend: EmailBackend, api: RecordingApi) -> None:
    class Receipt(PostStackEmail):
        tags = ["receipt"]  # noqa: RUF012

    class Letter(PostStackMixin, EmailMessage):
        tags = ["letter"]  # noqa: RUF012

    given = ("Subject", "Body", "a@example.com", ["b@example.com"])
    backend.send_messages([Receipt(*given), Receipt(*given, tags=["other"]), Letter(*given)])

    assert [payload["tags"] for payload in api.payloads] == [["receipt"], ["other"], ["letter"]]
