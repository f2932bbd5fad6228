# Written by tools/unasync.py from tests/client/_async/test_signup_forms.py. Do not edit.
"""Forms by which people become contacts."""

from __future__ import annotations

from typing import Any

import pytest

from poststack import PostStack, PostStackError
from poststack.testing import EmulatorSession
from poststack.types.signup_forms import SignupForm

pytestmark = pytest.mark.anyio

EMAIL: Any = {"name": "email", "type": "email", "label": "E-mail", "required": True}


def form_with(client: PostStack, *fields: Any, **settings: Any) -> SignupForm:
    content: Any = {"name": "Newsletter", "fields": [EMAIL, *fields], **settings}
    return (client.signup_forms.create(content))["signupForm"]


def test_a_form_is_found_listed_and_removed(client: PostStack) -> None:
    first = form_with(client)
    second = form_with(client, {"name": "size", "type": "select", "label": "Size", "options": ["S", "L"]})
    listed = client.signup_forms.list({"per_page": 1})
    everything = [form["publicId"] for form in client.signup_forms.iterate({"per_page": 1})]
    client.signup_forms.delete(first["publicId"])

    assert (client.signup_forms.get(second["publicId"]))["signupForm"] == second
    assert second["fields"][1] == {
        "name": "size",
        "type": "select",
        "label": "Size",
        "required": False,
        "options": ["S", "L"],
    }
    assert (second["active"], second["submissionCount"]) == (True, 0)
    assert (listed["data"], listed["meta"]["total"]) == ([second], 2)
    assert everything == [second["publicId"], first["publicId"]]
    with pytest.raises(PostStackError) as caught:
        client.signup_forms.get(first["publicId"])
    assert (caught.value.status_code, caught.value.error) == (404, "Signup form not found")


def test_a_submission_makes_a_contact(client: PostStack) -> None:
    client.contact_properties.create({"name": "size", "label": "Size", "type": "number"})
    form = (form_with(client))["publicId"]

    answer = client.signup_forms.submit(
        form, {"email": "Ada@example.com", "first_name": "Ada", "last_name": "", "size": 42, "other": ["ignored"]}
    )

    contact = (client.contacts.get_by_email("ada@example.com"))["contact"]
    assert answer == {"success": True, "message": "Thank you for signing up."}
    assert (contact["email"], contact["firstName"], contact["lastName"]) == ("Ada@example.com", "Ada", None)
    assert contact["properties"] == {"size": 42}
    assert (client.signup_forms.get(form))["signupForm"]["submissionCount"] == 1


def test_a_submission_brings_a_contact_up_to_date(client: PostStack) -> None:
    client.contact_properties.create({"name": "size", "label": "Size", "type": "number"})
    created = client.contacts.create(
        {"email": "ada@example.com", "first_name": "A", "unsubscribed": True, "properties": {"size": 1, "city": "Rome"}}
    )
    form = (form_with(client))["publicId"]

    client.signup_forms.submit(form, {"email": "ADA@example.com", "last_name": "King", "size": 42})

    contact = (client.contacts.get(created["contact"]["publicId"]))["contact"]
    assert (contact["email"], contact["firstName"], contact["lastName"]) == ("ada@example.com", "A", "King")
    assert contact["properties"] == {"size": 42, "city": "Rome"}
    assert contact["unsubscribed"]
    assert (client.contacts.list())["meta"]["total"] == 1


def test_a_submission_joins_segment_and_topic(client: PostStack) -> None:
    segment = (client.segments.create({"name": "From the form"}))["segment"]
    topic = (client.subscription_topics.create({"name": "News"}))["topic"]
    form = form_with(
        client,
        segment_id=segment["publicId"],
        topic_id=topic["publicId"],
        success_message="Welcome!",
        redirect_url="https://example.com/thanks",
    )
    contact = (client.contacts.create({"email": "ada@example.com"}))["contact"]["publicId"]
    client.subscription_topics.unsubscribe(contact, topic["publicId"])

    for address in ("ada@example.com", "ada@example.com", "grace@example.com"):
        answer = client.signup_forms.submit(form["publicId"], {"email": address})

    assert answer == {"success": True, "message": "Welcome!", "redirect_url": "https://example.com/thanks"}
    assert (form.get("segmentId"), form.get("topicId")) == (segment["id"], topic["id"])
    members = client.segments.members(segment["publicId"])
    assert [member["email"] for member in members["data"]] == ["ada@example.com", "grace@example.com"]
    said = (client.subscription_topics.get_contact_subscriptions(contact))["subscriptions"]
    assert [choice["subscribed"] for choice in said] == [True]


def test_null_detaches_and_a_deleted_segment_or_topic_is_none(client: PostStack) -> None:
    segment = (client.segments.create({"name": "a"}))["segment"]["publicId"]
    topic = (client.subscription_topics.create({"name": "News"}))["topic"]["publicId"]
    kept = (form_with(client, segment_id=segment, topic_id=topic, redirect_url="https://example.com"))["publicId"]
    other = (form_with(client, segment_id=segment, topic_id=topic))["publicId"]

    changed = (client.signup_forms.update(kept, {"segment_id": None, "topic_id": None, "redirect_url": None}))[
        "signupForm"
    ]
    client.segments.delete(segment)
    client.subscription_topics.delete(topic)
    left = (client.signup_forms.get(other))["signupForm"]
    client.signup_forms.submit(other, {"email": "ada@example.com"})

    assert (changed.get("segmentId"), changed.get("topicId"), changed.get("redirectUrl")) == (None, None, None)
    assert (left.get("segmentId"), left.get("topicId")) == (None, None)


def test_a_form_is_closed_and_opened_again(client: PostStack, emu: EmulatorSession) -> None:
    form = form_with(client)
    emu.clock.advance(60)
    closed = (client.signup_forms.update(form["publicId"], {"active": False, "name": "Closed"}))["signupForm"]
    with pytest.raises(PostStackError) as caught:
        client.signup_forms.submit(form["publicId"], {"email": "ada@example.com"})
    client.signup_forms.update(form["publicId"], {"active": True})
    client.signup_forms.submit(form["publicId"], {"email": "ada@example.com"})

    assert (caught.value.status_code, caught.value.code) == (409, "conflict")
    assert closed["name"] == "Closed"
    assert closed["updatedAt"] > form["updatedAt"]
    assert (client.contacts.list())["meta"]["total"] == 1


@pytest.mark.parametrize(
    ("field", "right", "wrong"),
    [
        ({"type": "text"}, ["x", 7], [["x"], {"a": 1}, "x" * 4_097]),
        ({"type": "text", "required": True}, ["x", 0], ["", None]),
        ({"type": "select", "options": ["S", "L"]}, ["S", "", None], ["M", 7, ["S"]]),
        ({"type": "checkbox"}, [True, False], ["yes", 1]),
        ({"type": "checkbox", "required": True}, [True], [False, None]),
        ({"type": "email"}, ["b@example.com"], ["nobody", 7]),
    ],
)
def test_fields_take_what_their_type_says(
    client: PostStack, field: dict[str, Any], right: list[Any], wrong: list[Any]
) -> None:
    form = (form_with(client, {"name": "extra", "label": "Extra", **field}))["publicId"]

    for value in right:
        assert (client.signup_forms.submit(form, {"email": "ada@example.com", "extra": value}))["success"]
    for value in wrong:
        with pytest.raises(PostStackError) as caught:
            client.signup_forms.submit(form, {"email": "new@example.com", "extra": value})
        assert caught.value.status_code == 422
        assert "`extra`" in caught.value.error
    assert (client.contacts.list())["meta"]["total"] == 1
    assert (client.signup_forms.get(form))["signupForm"]["submissionCount"] == len(right)


def test_a_value_of_the_wrong_type_for_its_property_is_refused(client: PostStack) -> None:
    client.contact_properties.create({"name": "size", "label": "Size", "type": "number", "required": True})
    form = (form_with(client))["publicId"]

    for content in ({"size": "42"}, {}):
        with pytest.raises(PostStackError) as caught:
            client.signup_forms.submit(form, {"email": "ada@example.com", **content})
        assert (caught.value.status_code, "`properties.size`" in caught.value.error) == (422, True)
    assert (client.contacts.list())["data"] == []


@pytest.mark.parametrize(
    ("content", "status"), [({}, 400), ({"email": ""}, 400), ({"email": 7}, 400), ({"email": "nobody"}, 422)]
)
def test_a_submission_needs_an_address(client: PostStack, content: Any, status: int) -> None:
    form = (form_with(client))["publicId"]

    with pytest.raises(PostStackError) as caught:
        client.signup_forms.submit(form, content)

    assert caught.value.status_code == status


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"name": ""}, 400),
        ({"name": "x" * 201}, 422),
        ({"fields": None}, 400),
        ({"fields": []}, 422),
        ({"fields": [EMAIL] * 2}, 422),
        ({"fields": [{**EMAIL, "name": str(number)} for number in range(11)]}, 422),
        ({"fields": [7]}, 400),
        ({"fields": [{"name": "a", "label": "A"}]}, 400),
        ({"fields": [{"name": "a", "label": "A", "type": "date"}]}, 422),
        ({"fields": [{"name": "email", "label": "A", "type": "text"}]}, 422),
        ({"fields": [{"name": "a", "label": "A", "type": "select"}]}, 422),
        ({"fields": [{"name": "a", "label": "A", "type": "text", "options": ["x"]}]}, 422),
        ({"fields": [{"name": "a", "label": "A", "type": "text", "placeholder": "x" * 201}]}, 422),
        ({"segment_id": "seg_unknown"}, 404),
        ({"topic_id": "top_unknown"}, 404),
        ({"redirect_url": "javascript:alert(1)"}, 422),
        ({"redirect_url": ""}, 422),
        ({"success_message": "x" * 2_001}, 422),
    ],
)
def test_forms_that_make_no_sense_are_refused(client: PostStack, settings: dict[str, Any], status: int) -> None:
    form = form_with(client)
    content: Any = {"name": "Newsletter", "fields": [EMAIL], **settings}

    with pytest.raises(PostStackError) as created:
        client.signup_forms.create(content)
    with pytest.raises(PostStackError) as updated:
        client.signup_forms.update(form["publicId"], content)
    assert created.value.status_code == updated.value.status_code == status
    assert (client.signup_forms.list())["data"] == [form]


def test_a_segment_with_rules_takes_nobody_from_a_form(client: PostStack) -> None:
    rules: Any = {"operator": "and", "conditions": [{"field": "email", "comparator": "contains", "value": "@"}]}
    segment = (client.segments.create({"name": "All", "rules": rules}))["segment"]["publicId"]

    with pytest.raises(PostStackError) as caught:
        form_with(client, segment_id=segment)

    assert caught.value.status_code == 422
