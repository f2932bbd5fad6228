"""What holds for every source, whatever a provider will say one day: nothing raises but what receivers understand."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poststack.errors import WebhookSignatureError
from poststack.events import EVENT_TYPES, PROVIDER_EVENT_TYPES, WebhookEvent
from poststack.providers.events import (
    BrevoEvents,
    EventSource,
    MailgunEvents,
    PostmarkEvents,
    ProviderEvents,
    SendGridEvents,
    SesEvents,
)
from poststack.receiving import AsyncWebhookReceiver, WebhookReceiver
from poststack.transports.base import TransportError
from tests.providers.events import test_brevo, test_mailgun, test_postmark, test_sendgrid, test_ses
from tests.providers.events.calls import (
    MAILGUN_KEY,
    TOPIC,
    Call,
    Heard,
    SnsSender,
    as_json,
    basic,
    mailgun_call,
    public_text,
    sendgrid_call,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SNS = SnsSender()
BASIC = basic("hook", "of the hook")
TYPES = EVENT_TYPES | PROVIDER_EVENT_TYPES

SOURCES: dict[str, ProviderEvents] = {
    "sendgrid": SendGridEvents(public_key=public_text()),
    "postmark": PostmarkEvents(username="hook", password="of the hook"),
    "mailgun": MailgunEvents(signing_key=MAILGUN_KEY),
    "brevo": BrevoEvents(username="hook", password="of the hook"),
    "ses": SesEvents(topic_arns=TOPIC, fetch=SNS.fetch),
}
CALLS: dict[str, Callable[[Any], Call]] = {
    "sendgrid": lambda value: sendgrid_call([value]),
    "postmark": lambda value: Call(as_json(value), BASIC),
    "mailgun": lambda value: mailgun_call(value, token=str(hash(repr(value)))),
    "brevo": lambda value: Call(as_json(value), BASIC),
    "ses": SNS.notify,
}
SAMPLES: dict[str, list[dict[str, Any]]] = {
    "sendgrid": [{**test_sendgrid.COMMON, **sample} for sample in test_sendgrid.SAMPLES.values()],
    "postmark": [
        test_postmark.DELIVERY, test_postmark.BOUNCE, test_postmark.CLICK, test_postmark.CHANGE,
    ],
    "mailgun": [test_mailgun.BOUNCED, test_mailgun.DEFERRED, test_mailgun.CLICKED, test_mailgun.REJECTED],
    "brevo": [test_brevo.BOUNCED, test_brevo.CLICKED],
    "ses": [test_ses.CLICK, test_ses.bounce("Permanent"), test_ses.said("Subscription", "subscription", {})],
}  # fmt: skip

texts = st.text(max_size=20) | st.sampled_from(["email.x", "<a@b>", "2020-01-01T00:00:00.1234567Z", "9" * 400, "nan"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**400) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
every = pytest.mark.parametrize("provider", list(SOURCES))


def paths_in(value: object, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where something could be replaced."""
    holder: Any = value
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(holder.items())
    elif isinstance(value, list):
        inner = [(index, holder[index]) for index in range(len(holder))]
    return [path for step, below in inner for path in [(*above, step), *paths_in(below, (*above, step))]]


@st.composite
def spoilt(draw: st.DrawFn, samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Draw a real sample with some of its parts replaced by anything."""
    sample: dict[str, Any] = json.loads(json.dumps(draw(st.sampled_from(samples))))
    for _ in range(draw(st.integers(0, 3))):
        *above, last = draw(st.sampled_from(paths_in(sample)))
        holder: Any = sample
        for step in above:
            holder = holder[step]
        holder[last] = draw(anything)
    return sample


def check(event: WebhookEvent, provider: str) -> None:
    assert event.type in TYPES
    assert event.id.startswith(f"{provider}:")
    assert len(event.id) > len(provider) + 1
    assert event.timestamp is None or event.timestamp.utcoffset() == timedelta(0)
    assert event.email_id is None or event.email_id.strip("<>") == event.email_id != ""
    assert event.data["provider"] == provider
    assert event.data.get("email_id") == event.data.get("message_id") == event.email_id
    assert isinstance(event.data.get("recipient", ""), str)
    assert all(isinstance(tag, str) for tag in event.data["tags"])
    assert isinstance(event.data["metadata"], dict)
    assert isinstance(event.data.get("smtp_code", 250), int)
    assert None not in event.data.values()
    json.dumps(event.data)


@every
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_sample_with_anything_in_its_fields_is_an_event_or_no_call(provider: str, data: st.DataObject) -> None:
    source = SOURCES[provider]
    call = CALLS[provider](data.draw(spoilt(SAMPLES[provider])))
    answer = WebhookReceiver(source=source).receive(call.body, headers=call.headers)

    # The provider itself has signed it, so never 401.
    assert answer.status in {200, source.unusable}, answer
    if answer.status == 200:
        events = source.read(call.body, call.headers)
        for event in events:
            check(event, provider)
        assert [event.id for event in source.read(call.body, call.headers)] == [event.id for event in events]


@every
@given(body=st.binary(max_size=60) | anything.map(lambda value: json.dumps(value).encode()), extra=texts)
@settings(max_examples=100, deadline=None)
def test_whatever_a_stranger_sends_is_refused(provider: str, body: bytes, extra: str) -> None:
    headers = {
        "Authorization": extra,
        "X-Twilio-Email-Event-Webhook-Signature": extra,
        "X-Twilio-Email-Event-Webhook-Timestamp": extra,
        "x-amz-sns-message-type": extra,
    }
    answer = WebhookReceiver(source=SOURCES[provider]).receive(body, headers=headers)

    assert 400 <= answer.status < 500


@every
def test_a_body_over_the_limit_is_refused_unread(provider: str) -> None:
    call = CALLS[provider](SAMPLES[provider][0])
    receiver = WebhookReceiver(source=SOURCES[provider], max_bytes=len(call.body) - 1)

    assert receiver.receive(call.body, headers=call.headers).status == 413


@pytest.mark.anyio
@every
async def test_an_asynchronous_receiver_refuses_the_same(provider: str) -> None:
    call = CALLS[provider](SAMPLES[provider][0])
    source = SOURCES[provider]

    assert (await AsyncWebhookReceiver(source=source).receive(call.body, headers=call.headers)).status == 200
    # Mailgun and SNS sign in the body.
    wanted = {"mailgun": 200, "ses": 200}.get(provider, 401)
    assert (await AsyncWebhookReceiver(source=source).receive(call.body)).status == wanted
    too_large = AsyncWebhookReceiver(source=source, max_bytes=1)
    assert (await too_large.receive(call.body, headers=call.headers)).status == 413


@every
def test_every_handler_has_every_event_once(provider: str) -> None:
    receiver = WebhookReceiver(source=SOURCES[provider])
    heard: list[str] = []
    failures = [RuntimeError()]

    @receiver.on("*")
    def fails_at_first(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        if failures:
            raise failures.pop()
        heard.append(event.id)

    call = CALLS[provider](SAMPLES[provider][0])
    answers = [receiver.receive(call.body, headers=call.headers).status for _ in range(3)]

    assert answers == [500, 200, 200]
    assert len(heard) == 1


def test_when_a_handler_fails_the_other_events_of_the_call_are_handled() -> None:
    receiver = WebhookReceiver(source=SOURCES["sendgrid"])

    @receiver.on("email.bounced")
    def fails(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        raise RuntimeError

    receiver.on("*")(heard := Heard())
    call = sendgrid_call([SAMPLES["sendgrid"][5], SAMPLES["sendgrid"][4]])

    assert receiver.receive(call.body, headers=call.headers) == (500, "A handler failed.")
    assert heard.types == ["email.bounced", "email.clicked"]


def test_types_that_only_other_providers_have_can_be_asked_for() -> None:
    receiver = WebhookReceiver(source=SOURCES["postmark"])
    receiver.on("email.subscribed", "email.unknown")(heard := Heard())
    for sample in ({**test_postmark.CHANGE, "SuppressSending": False}, {**test_postmark.OPEN, "RecordType": "New"}):
        assert receiver.receive(as_json(sample), headers=BASIC).status == 200

    assert heard.types == ["email.subscribed", "email.unknown"]


class OwnSource:
    """What somebody else wrote."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def read(self, body: bytes, headers: Mapping[str, str]) -> list[WebhookEvent]:
        if self._error is not None:
            raise self._error
        return [WebhookEvent("own:1", "email.delivered", None, headers["X-Id"], {})]


class OwnAsyncSource:
    async def aread(self, body: bytes, headers: Mapping[str, str]) -> list[WebhookEvent]:
        return OwnSource().read(body, headers)


@pytest.mark.anyio
async def test_a_source_of_ones_own_needs_to_read_and_nothing_more() -> None:
    heard = Heard()
    receiver = WebhookReceiver(source=OwnSource())
    receiver.on("*")(heard)
    assert receiver.receive(b"", headers={"X-Id": "one"}).status == 200
    sources: list[Any] = [OwnSource(), OwnAsyncSource()]
    for source in sources:
        awaiting = AsyncWebhookReceiver(source=source)
        awaiting.on("*")(heard)
        assert (await awaiting.receive(b"", headers={"X-Id": "two"})).status == 200

    assert [event.email_id for event in heard] == ["one", "two", "two"]


@pytest.mark.parametrize(
    ("error", "status"), [(WebhookSignatureError("no"), 401), (ValueError("no"), 400), (TransportError("no"), 503)]
)
def test_what_a_source_of_ones_own_raises_is_answered(error: Exception, status: int) -> None:
    assert WebhookReceiver(source=OwnSource(error)).receive(b"", headers={}).status == status


def test_a_source_stands_in_the_place_of_secrets() -> None:
    source: EventSource = OwnSource()
    for receiver in (WebhookReceiver, AsyncWebhookReceiver):
        with pytest.raises(ValueError, match="not both"):
            receiver("secret", source=source)
    unfit: Any = OwnAsyncSource()
    with pytest.raises(TypeError, match="`read`"):
        WebhookReceiver(source=unfit)
    with pytest.raises(TypeError, match="neither"):
        AsyncWebhookReceiver(source=object())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_receiver_without_either_refuses_everything() -> None:
    assert WebhookReceiver().receive(b"{}").status == 403
