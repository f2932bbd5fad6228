"""What holds for every provider, against a fake of each that is as strict as the real one."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import anyio
import pytest

from poststack.mailbridge import AsyncMailBridge, EmailMessageDto, EmailSendError, MailBridge, UnsupportedFieldError
from poststack.providers import Capabilities
from tests.providers.contract import FAKES, SENDER, mailer_for
from tests.providers.fakes.base import Fault, answers

pytestmark = pytest.mark.parametrize("name", FAKES)

MARKS = ["Ada Lovelace", 'Lovelace, "Ada"', "Jürgen Öß", "山田 太郎", "O'Brien (sales)", "a@b; c"]


def can(mailer: MailBridge) -> Capabilities:
    provider: Any = mailer.provider
    capabilities: Capabilities = provider.capabilities
    return capabilities


def simple(to: Any = "ada@example.net", **fields: Any) -> EmailMessageDto:
    given: dict[str, Any] = {"to": to, "subject": "Hi", "body": "<p>Hi</p>", "from_email": "Shop <shop@example.org>"}
    return EmailMessageDto(**{**given, **fields})


def test_an_email_arrives_with_everything_the_provider_can_say(name: str) -> None:
    with mailer_for(name) as (mailer, fake):
        possible = can(mailer)
        later = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=1)
        optional: dict[str, tuple[bool, Any]] = {
            "reply_to": (possible.reply_to >= 1, ["Help <help@example.org>"]),
            "headers": (possible.headers, {"X-Order": "17"}),
            "tags": (possible.tags >= 1, ["receipt"]),
            "metadata": (possible.metadata, {"order": "17"}),
            "attachments": (possible.attachments, [("total.csv", "a,b\n", "text/csv")]),
            "scheduled_at": (possible.scheduling is not None, later),
            "track_opens": (possible.track_opens, True),
            "track_clicks": (possible.track_clicks, True),
        }
        said = {field: value for field, (possible_here, value) in optional.items() if possible_here}
        response = mailer.send_message(
            simple("Ada <ada@example.net>", cc="cc@example.net", bcc="bcc@example.net", text="Hi", **said)
        )
        (one,) = fake.delivered
        assert response.message_id == one.message_id
        assert response.provider == name
        assert (one.sender, one.to) == (SENDER, [("Ada", "ada@example.net")])
        assert (one.cc, one.bcc) == ([("", "cc@example.net")], [("", "bcc@example.net")])
        assert (one.subject, one.text, one.html) == ("Hi", "Hi", "<p>Hi</p>")
        if "reply_to" in said:
            assert one.reply_to == [("Help", "help@example.org")]
        if "headers" in said:
            assert one.headers["X-Order"] == "17"
        assert one.tags == said.get("tags", [])
        assert one.metadata == said.get("metadata", {})
        if "attachments" in said:
            assert one.attachments == [("total.csv", b"a,b\n", "text/csv", None)]
        if "scheduled_at" in said:
            assert one.scheduled_at == int(later.timestamp())
        assert (one.track_opens, one.track_clicks) == (said.get("track_opens"), said.get("track_clicks"))


@pytest.mark.parametrize("field", ["reply_to", "text_alone", "tags", "metadata", "inline", "templates", "scheduled_at",
                                   "track_opens", "track_clicks", "idempotency_key", "local_part"])  # fmt: skip
def test_what_it_cannot_say_is_named_and_nothing_is_sent(name: str, field: str) -> None:
    with mailer_for(name) as (mailer, fake):
        possible = can(mailer)
        now = datetime.now(timezone.utc)
        image = {"filename": "logo.png", "content": "iVBORw0KGgo=", "content_type": "image/png", "content_id": "logo"}
        cases: dict[str, tuple[bool, str, dict[str, Any]]] = {
            "reply_to": (possible.reply_to >= 2, "reply_to", {"reply_to": ["a@example.org", "b@example.org"]}),
            "text_alone": (possible.text_alone, "body", {"html": False}),
            "tags": (possible.tags >= 12, "tags", {"tags": [f"t{n}" for n in range(12)]}),
            "metadata": (possible.metadata, "metadata", {"metadata": {"order": "17"}}),
            "inline": (possible.inline_images, "attachments", {"attachments": [image]}),
            "templates": (possible.templates, "template_id", {"template_id": "17"}),
            "scheduled_at": (False, "scheduled_at", {"scheduled_at": now + timedelta(days=5000)}),
            "track_opens": (possible.track_opens, "track_opens", {"track_opens": False}),
            "track_clicks": (possible.track_clicks, "track_clicks", {"track_clicks": False}),
            "idempotency_key": (possible.idempotency is not None, "idempotency_key", {"idempotency_key": "k"}),
            "local_part": (possible.non_ascii_local_parts, "to", {"to": "jürgen@example.net"}),
        }
        can_say, argument, fields = cases[field]
        if can_say:
            pytest.skip(f"{name} can")
        with pytest.raises(UnsupportedFieldError) as caught:
            mailer.send_message(simple(**fields))
        assert (caught.value.field, caught.value.provider) == (argument, name)
        assert fake.requests == []


@pytest.mark.parametrize("display_name", MARKS)
def test_display_names_arrive_as_they_are_read(name: str, display_name: str) -> None:
    quoted = display_name.replace("\\", "\\\\").replace('"', '\\"')
    with mailer_for(name) as (mailer, fake):
        mailer.send_message(simple(f'"{quoted}" <ada@example.net>', from_email=f'"{quoted}" <shop@example.org>'))
        (one,) = fake.delivered
        assert one.to == [(display_name, "ada@example.net")]
        assert one.sender == (display_name, "shop@example.org")


def test_a_bulk_answers_for_each_in_its_place_and_shows_nobody_to_another(name: str) -> None:
    with mailer_for(name) as (mailer, fake):
        bodies = ["<p>one</p>", "<p>two</p>"]
        messages = [simple(f"u{n}@example.net", body=bodies[n % 2], subject=f"S{n}") for n in range(120)]
        result = mailer.send_bulk(messages)
        assert (result.total, result.successful) == (120, 120)
        by_recipient = {one.to[0][1]: one for one in fake.delivered}
        assert len(by_recipient) == len(fake.delivered) == 120
        for number, response in enumerate(result.responses):
            one = by_recipient[f"u{number}@example.net"]
            assert len(one.to + one.cc + one.bcc) == 1
            assert (one.subject, one.html, one.message_id) == (f"S{number}", bodies[number % 2], response.message_id)


def test_templates_are_filled_with_the_data_of_their_own_recipient(name: str) -> None:
    with mailer_for(name) as (mailer, fake):
        if not can(mailer).templates or not fake.knows_templates:
            pytest.skip(f"{name} has none here")
        template = "d-17" if name == "sendgrid" else "17"
        messages = [
            EmailMessageDto(
                f"u{n}@example.net",
                template_id=template,
                template_data={"name": f"N{n}"} if n else None,
                from_email="shop@example.org",
            )
            for n in range(60)
        ]
        assert mailer.send_bulk(messages).successful == 60
        data = {one.to[0][1]: one.variables for one in fake.delivered}
        assert data == {f"u{n}@example.net": {"name": f"N{n}"} if n else {} for n in range(60)}


def test_requests_share_connections(name: str) -> None:
    with mailer_for(name) as (mailer, fake):
        for _ in range(5):
            mailer.send_message(simple())
        assert (len(fake.delivered), fake.connections) == (5, 1)


def test_a_bulk_has_a_bounded_number_under_way(name: str) -> None:
    # Each of a content of its own, so that they cannot all travel together.
    async def main() -> Any:
        with FAKES[name]() as fake:
            fake.latency = 0.05
            async with AsyncMailBridge(name, **fake.settings(), concurrency=4) as mailer:
                messages = [simple(f"u{n}@example.net", body=f"<p>{n}</p>", tags=None) for n in range(40)]
                return await mailer.send_bulk(messages), fake

    result, fake = anyio.run(main)
    assert result.successful == 40
    assert fake.most_in_flight <= 4
    assert fake.connections <= 4


def test_waiting_for_a_turn_is_no_timeout(name: str) -> None:
    # Together they take several times as long as one of them may.
    async def main() -> Any:
        with FAKES[name]() as fake:
            fake.latency = 0.1
            async with AsyncMailBridge(name, **fake.settings(), concurrency=2, timeout=1.0) as mailer:
                messages = [simple(f"u{n}@example.net", body=f"<p>{n}</p>") for n in range(60)]
                return await mailer.send_bulk(messages)

    assert anyio.run(main).successful == 60


def test_an_answer_that_is_lost_is_in_doubt_unless_the_provider_minds_keys(name: str) -> None:
    with mailer_for(name, timeout=1.0) as (mailer, fake):
        fake.faults.append(Fault(taken=True, reset=True))
        if can(mailer).idempotency is not None:
            assert mailer.send_message(simple()).replayed
        else:
            with pytest.raises(EmailSendError) as caught:
                mailer.send_message(simple())
            assert (caught.value.kind, caught.value.transient) == ("ambiguous", False)
        assert len(fake.delivered) == 1


@pytest.mark.parametrize("status", [302, 418, 500, 502, 504])
@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"null", b"[]", b'{"a":', b"\xed\xa0\xbd"])
def test_whatever_is_answered_is_a_failure_with_its_status(name: str, status: int, body: bytes) -> None:
    with mailer_for(name, max_retries=0) as (mailer, fake):
        fake.faults.append(answers(status, body))
        with pytest.raises(EmailSendError) as caught:
            mailer.send_message(simple())
        assert caught.value.status_code == status
        assert caught.value.kind == ("invalid_request" if status == 418 else "ambiguous")


@pytest.mark.parametrize("body", ["", "<html>Welcome</html>", "null", "[]", "{}", '{"id": 7}', '"ok"'])
def test_a_success_that_is_none_of_the_providers_is_never_an_id(name: str, body: str) -> None:
    with mailer_for(name, max_retries=0) as (mailer, fake):
        fake.faults.append(answers(200, body))
        (response,) = mailer.respond([simple()])
        assert response.message_id is None
        assert response.success or response.may_have_been_sent


def test_too_many_requests_are_waited_for(name: str) -> None:
    with mailer_for(name) as (mailer, fake):
        fake.faults.append(answers(429, "{}", Retry_After="0"))
        assert mailer.send_message(simple()).success
        assert len(fake.delivered) == 1


def test_nobody_there_is_certain_not_to_have_sent(name: str) -> None:
    with FAKES[name]() as fake:
        settings = fake.settings()
    with MailBridge(name, **settings, max_retries=1) as mailer, pytest.raises(EmailSendError) as caught:
        mailer.send_message(simple())
    assert (caught.value.kind, caught.value.transient) == ("unavailable", True)


@pytest.mark.unmeasured
def test_cancelling_a_bulk_leaves_nothing_under_way(name: str) -> None:
    async def main() -> int:
        with FAKES[name]() as fake:
            fake.latency = 0.1
            async with AsyncMailBridge(name, **fake.settings(), concurrency=4) as mailer:
                messages = [simple(f"u{n}@example.net", body=f"<p>{n}</p>") for n in range(2_000)]
                with anyio.move_on_after(0.5) as scope:
                    await mailer.send_bulk(messages)
                assert scope.cancelled_caught
                await anyio.sleep(0.3)  # What was under way at the fake ends.
                seen = len(fake.requests)
                await anyio.sleep(0.3)
                return len(fake.requests) - seen

    assert anyio.run(main) == 0


def test_one_mailer_serves_many_threads(name: str) -> None:
    with mailer_for(name) as (mailer, fake):
        messages = [simple(f"u{n}@example.net") for n in range(20)]
        threads = [threading.Thread(target=mailer.send_message, args=(message,)) for message in messages]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({one.to[0][1] for one in fake.delivered}) == 20


def test_settings_are_in_no_repr_and_no_error(name: str) -> None:
    with mailer_for(name, max_retries=0) as (mailer, fake):
        secrets = [value for value in fake.settings().values() if isinstance(value, str) and "127.0.0.1" not in value]
        fake.faults.append(answers(401, "{}"))
        with pytest.raises(EmailSendError) as caught:
            mailer.send_message(simple())
        shown = repr(mailer) + repr(mailer.provider) + repr(vars(mailer.provider)) + repr(caught.value)
        assert not [secret for secret in secrets if secret in shown and len(secret) > 6]
        assert caught.value.kind == "auth"
