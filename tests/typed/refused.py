"""What type checkers must refuse: every line marked so. This module is never run."""

from __future__ import annotations

import io
from typing import Any

from flask import Flask

import poststack
import poststack.testing
from poststack import AsyncPostStack, PostStack
from poststack.types import SendEmail, SentEmail
from poststack_django.aio import asend
from poststack_django.backends import EmailBackend
from poststack_django.message import PostStackEmail
from poststack_flask import FlaskPostStack, Message


def misspelt(client: PostStack, sent: SentEmail) -> None:
    client.emails.send({"from": "a@example.com", "too": ["b@example.com"]})  # refused
    client.emails.send({"from": "a@example.com", "to": ["b@example.com"], "sbject": "Hi"})  # refused
    client.emails.list({"stats": "delivered"})  # refused
    client.email.send({"from": "a@example.com", "to": []})  # refused
    client.emails.snd({"from": "a@example.com", "to": []})  # refused
    print(sent["identifier"])  # refused
    PostStack(apikey="sk_test_x")  # refused
    print(poststack.PostStak)  # refused
    print(poststack.testing.emulate)  # refused


def missing(client: PostStack) -> None:
    client.emails.send({"to": ["b@example.com"], "subject": "Hi"})  # refused
    client.suppressions.add({"email": "a@example.com"})  # refused
    client.emails.batch({})  # refused
    client.emails.get()  # refused


def wrong_type(client: PostStack, payload: dict[str, Any]) -> None:
    client.emails.send({"from": "a@example.com", "to": "b@example.com"})  # refused
    client.emails.send({"from": "a@example.com", "to": ["b@example.com"], "tracking": {"open": True}})  # refused
    client.emails.send(payload)  # refused
    client.emails.send_many({"from": "a@example.com", "to": ["b@example.com"]})  # refused
    client.emails.send_many([payload])  # refused
    client.emails.send_many([], on_progress=lambda told: print(told.total))  # refused
    client.emails.list({"status": "sent"})  # refused
    client.webhooks.get("1")  # refused
    client.emails.send({"from": "a@example.com", "to": ["b@example.com"]}, timeout="5")  # refused
    client.suppressions.add({"email": "a@example.com", "reason": "because"})  # refused
    with AsyncPostStack():  # refused
        pass


def other_groups(client: PostStack) -> None:
    client.contact.get("con_1")  # refused
    client.contacts.create({"email": "a@example.com", "firstname": "Ada"})  # refused
    client.contacts.create({"first_name": "Ada"})  # refused
    client.contacts.list({"unsubscribed": True})  # refused
    client.contacts.export_csv("seg_1")  # refused
    client.contact_properties.create({"name": "size", "label": "Size", "type": "string"})  # refused
    client.segments.create({"name": "s", "rules": {"operator": "not", "conditions": []}})  # refused
    client.segments.add_contacts("seg_1", ["con_1"])  # refused
    client.broadcasts.create({"segment_id": "seg_1", "subject": "s"})  # refused
    client.broadcasts.list({"status": "done"})  # refused
    client.broadcasts.non_openers("br_1", 10)  # refused
    client.domains.create({"name": "example.com", "region": "mars"})  # refused
    client.domains.get("dom_1")  # refused
    client.domains.activate_dkim_rotation(7, True)  # refused
    client.api_keys.create({"name": "k", "permission": "all"})  # refused
    print(client.api_keys.get(7)["key"])  # refused
    client.mailboxes.create({"domain_id": 7, "localPart": "a", "password": "b"})  # refused
    client.mailboxes.grant_share("mb_1", "mb_2", "owner")  # refused
    client.mailboxes.set_filters("mb_1", [{"name": "n"}])  # refused
    client.inbound_emails.forward(7, {"from": "a@example.com"})  # refused
    client.inbound_emails.draft_reply(7, {"tone": "rude"})  # refused
    client.subscription_topics.subscribe("con_1")  # refused
    client.workflows.create({"name": "w", "trigger_type": "email.opened"})  # refused
    client.workflows.trigger("wf_1", "con_1")  # refused
    client.signup_forms.create({"name": "f", "fields": [{"name": "a", "type": "date", "label": "A"}]})  # refused
    client.signup_forms.submit("sf_1", "a@example.com")  # refused
    client.email_validations.validate_batch("a@example.com")  # refused
    client.notification_channels.create({"type": "slack", "name": "c", "events": [], "config": {}})  # refused
    client.workflows.iterate()  # refused
    client.domains.iterate()  # refused


def responses(client: PostStack, payload: SendEmail) -> None:
    client.with_response(client.emails.send, {"from": "a@example.com", "too": ["b@example.com"]})  # refused
    client.with_response(client.emails.send, {"from": "a@example.com", "to": [], "sbject": "Hi"})  # refused
    client.with_response(client.emails.send, payload, timeuot=5)  # refused
    client.with_response(client.emails.send)  # refused
    client.with_response(client.emails.get, 7)  # refused
    client.with_response(client.emails.list, {"stats": "delivered"})  # refused
    client.with_response("emails.send", payload)  # refused
    print(client.with_response(client.emails.send, payload).data["identifier"])  # refused
    print(client.with_response(client.emails.send, payload)["id"])  # refused


async def async_responses(client: AsyncPostStack, payload: SendEmail) -> None:
    await client.with_response(client.emails.send, {"from": "a@example.com", "too": ["b@example.com"]})  # refused
    await client.with_response(client.emails.send, payload, timeuot=5)  # refused
    await client.with_response(client.emails.iterate)  # refused
    await client.with_response(client.emails.send_many, [payload])  # refused
    client.with_response(client.emails.send, payload)  # refused


def waiting_and_downloads(client: PostStack) -> None:
    client.emails.wait_until("em_1", "deliverd", 30)  # refused
    client.emails.wait_until("em_1", ["delivered", "opened"], 30)  # refused
    client.emails.wait_until("em_1", "delivered")  # refused
    client.contacts.save_csv(b"contacts.csv")  # refused
    client.contacts.save_csv(io.StringIO())  # refused
    client.inbound_emails.save_attachment(7, "invoice.pdf")  # refused


async def missing_await(client: AsyncPostStack, payload: SendEmail) -> None:
    sent = client.emails.send(payload)
    print(sent["id"])  # refused
    for email in client.emails.iterate():  # refused
        print(email)
    client.emails.send(payload)  # refused
    for result in client.emails.send_many([payload]):  # refused
        print(result)


async def needless_await(client: PostStack, payload: SendEmail) -> None:
    await client.emails.send(payload)  # refused


def django_messages() -> None:
    PostStackEmail("Subject", tag=["receipt"])  # refused
    PostStackEmail("Subject", "Body", None, ["b@example.com"], ["c@example.com"])  # refused
    PostStackEmail("Subject", tracking={"open": True})  # refused
    PostStackEmail("Subject", signature="mine")  # refused
    PostStackEmail("Subject").tags = 7  # refused
    EmailBackend(redirect_to=7)  # refused


async def django_in_a_loop() -> None:
    asend(PostStackEmail("Subject"))  # refused


def flask_application(app: Flask) -> None:
    FlaskPostStack(app, retries=3)  # refused
    FlaskPostStack(default_sender=("Shop", "shop@example.com", "x"))  # refused
    FlaskPostStack().on("email.bounced")(7)  # refused
    FlaskPostStack().webhook_blueprint("/webhooks")  # refused


def flask_messages(mail: FlaskPostStack) -> None:
    mail.send({"from": "a@example.com", "to": ["b@example.com"]})  # refused
    mail.send(Message("Hi"), subject="Ho")  # refused
    mail.send(Message("Hi"), tags="welcome")  # refused
    mail.send_message("Hi", recipient=["a@example.com"])  # refused
