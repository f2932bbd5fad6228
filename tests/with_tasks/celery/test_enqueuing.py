"""What `delay` and its kin do before anything reaches the broker."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import pytest

from poststack import PostStackError
from poststack.testing import EmulatorSession
from poststack_tasks import JobError
from poststack_tasks.celery import process_event, send_batch, send_email
from tests.patience import PATIENCE
from tests.with_tasks.celery.conftest import current, made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from poststack.types import SendEmail

MAIL: SendEmail = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Secret body"}


@pytest.fixture
def published(app: Any) -> Iterator[list[dict[str, Any]]]:
    """Collect what reaches the broker."""
    signal: Any = import_module("celery.signals").before_task_publish
    found: list[dict[str, Any]] = []

    def note(body: Any, headers: dict[str, Any], **_: Any) -> None:
        found.append({"body": body, "headers": headers})

    signal.connect(note)
    yield found
    signal.disconnect(note)


WRONG: list[Any] = [
    "text",
    {},
    {**MAIL, "to": []},
    {**MAIL, "subject": "two\r\nlines"},
    {**MAIL, "attachments": [{"filename": "a", "content": b"bytes"}]},
    {**MAIL, "metadata": {"at": datetime.now(timezone.utc)}},
    {**MAIL, "metadata": {"share": float("nan")}},
    {**MAIL, "tags": {"a", "set"}},
    {**MAIL, "api_key": "anything"},
    {**MAIL, "headers": {"X-Key": "sk_live_0123456789"}},
    {**MAIL, "idempotency_key": ""},
]


def apply_async(payload: Any) -> None:
    send_email.apply_async([payload])


def keywords(payload: Any) -> None:
    send_email.apply_async(kwargs={"payload": payload}, countdown=5)


def signature(payload: Any) -> None:
    send_email.s(payload).apply_async()


def batch(payload: Any) -> None:
    send_batch.delay([MAIL, payload])


@pytest.mark.parametrize("payload", WRONG, ids=[str(number) for number in range(len(WRONG))])
@pytest.mark.parametrize("enqueue", [send_email.delay, apply_async, keywords, signature, batch])
def test_what_is_wrong_is_told_to_whoever_enqueues(
    published: list[dict[str, Any]], enqueue: Callable[[Any], Any], payload: Any
) -> None:
    with pytest.raises(JobError) as raised:
        enqueue(payload)

    assert not [one for one in ("ada@", "Secret", "sk_live_0123") if one in str(raised.value)]
    assert published == []


def test_arguments_that_do_not_fit_are_a_type_error(published: list[dict[str, Any]]) -> None:
    with pytest.raises(TypeError):
        cast("Any", send_email).delay(MAIL, unknown=1)
    with pytest.raises(JobError, match="event_job"):
        process_event.delay(cast("Any", "event"))
    with pytest.raises(JobError, match="1 to 100"):
        send_batch.delay([MAIL] * 101)

    assert published == []


def test_events_logs_and_dashboards_see_no_arguments(published: list[dict[str, Any]]) -> None:
    send_email.delay(MAIL, idempotency_key="welcome/1")
    send_email.s(MAIL).apply_async(countdown=10)
    send_batch.delay([MAIL])

    shown = [one["headers"][name] for one in published for name in ("argsrepr", "kwargsrepr")]
    assert len(shown) == 6
    assert not [text for text in shown if "ada" in text or "Secret" in text or "welcome" in text]


def test_events_and_logs_see_nothing_of_what_is_sent_by_name(app: Any, published: list[dict[str, Any]]) -> None:
    app.send_task("poststack.send_email", args=[MAIL], kwargs={"idempotency_key": "welcome/1"})
    app.send_task("tests.written", args=["Ada"])

    ours, others = (one["headers"] for one in published)
    assert not [text for text in (ours["argsrepr"], ours["kwargsrepr"]) if "ada" in text or "welcome" in text]
    assert ours["poststack_enqueued_at"] > 0
    assert "Ada" in others["argsrepr"]
    assert "poststack_enqueued_at" not in others


def test_a_serializer_that_workers_do_not_read_is_refused(app: Any, published: list[dict[str, Any]]) -> None:
    with pytest.raises(JobError, match="accept_content"):
        send_email.apply_async([MAIL], serializer="pickle")
    with pytest.raises(JobError, match="accept_content"):
        send_email.apply_async_on_commit([MAIL], serializer="pickle")
    app.conf.task_serializer = "yaml"
    with pytest.raises(JobError, match="'yaml'"):
        send_email.apply_async([MAIL], serializer=None)

    assert published == []


@pytest.mark.parametrize("accepted", ["pickle", "application/x-python-serialize"])
def test_a_serializer_that_workers_read_is_taken(app: Any, published: list[dict[str, Any]], accepted: str) -> None:
    app.conf.accept_content = ["json", accepted]

    send_email.apply_async([MAIL], serializer="pickle")

    assert len(published) == 1


def test_a_serializer_of_the_project_that_its_workers_do_not_read_is_refused(published: list[dict[str, Any]]) -> None:
    other = made()
    other.conf.task_serializer = "pickle"

    with current(other), pytest.raises(JobError, match="accept_content"):
        send_email.delay(MAIL)

    assert published == []


@pytest.mark.parametrize("event", [{}, {"id": "x"}, {"id": "x", "type": "email.bounced", "data": "text"}, [], None])
def test_what_is_no_event_is_refused(published: list[dict[str, Any]], event: Any) -> None:
    with pytest.raises(JobError, match="event_job"):
        process_event.delay(event)

    assert published == []


def test_the_moment_of_expiry_is_fixed_when_enqueued(published: list[dict[str, Any]]) -> None:
    before = datetime.now(timezone.utc)
    send_email.delay(MAIL, expires=600)
    send_email.delay(MAIL, expires=timedelta(minutes=10))
    send_email.delay(MAIL, expires=datetime(2030, 1, 2, 3, tzinfo=timezone(timedelta(hours=1))))

    relative, delta, absolute = [datetime.fromisoformat(one["body"][1]["expires"]) for one in published]
    assert absolute == datetime(2030, 1, 2, 2, tzinfo=timezone.utc)
    for moment in (relative, delta):
        assert before + timedelta(seconds=599) < moment < datetime.now(timezone.utc) + timedelta(seconds=601)


@pytest.mark.parametrize("expires", ["tomorrow", datetime(2030, 1, 1), True, float("inf"), [1]], ids=repr)  # noqa: DTZ001
def test_a_moment_must_be_one(published: list[dict[str, Any]], expires: Any) -> None:
    with pytest.raises(JobError, match="expires"):
        send_email.delay(MAIL, expires=expires)


def test_options_of_celery_go_on_working(published: list[dict[str, Any]]) -> None:
    send_email.apply_async([MAIL], task_id="mine", countdown=60, expires=300, headers={"mine": 1})

    headers = published[0]["headers"]
    assert (headers["id"], headers["mine"]) == ("mine", 1)
    assert headers["eta"]
    assert headers["expires"]


@pytest.mark.parametrize("method", ["map", "starmap", "chunks"])
def test_what_would_run_without_jobs_of_their_own_is_refused(published: list[dict[str, Any]], method: str) -> None:
    with pytest.raises(TypeError, match=r"group\(") as raised:
        getattr(send_email, method)([(MAIL,)], 1)

    assert "ada@" not in str(raised.value)
    assert published == []


def test_groups_are_checked_and_hidden_like_all_others(published: list[dict[str, Any]]) -> None:
    group: Any = import_module("celery").group

    group(send_email.s(MAIL), send_email.s(MAIL)).apply_async()
    with pytest.raises(JobError):
        group(send_email.s({**MAIL, "to": []})).apply_async()

    assert [one["headers"]["argsrepr"] for one in published] == ["(…)", "(…)"]
    assert all(one["headers"]["poststack_enqueued_at"] for one in published)


def test_the_applications_own_task_class_stays(app: Any, emu: EmulatorSession) -> None:
    task_class: Any = import_module("celery").Task
    called: list[str] = []

    class Own(task_class):  # type: ignore[misc]
        def apply_async(self, *args: Any, **kwargs: Any) -> Any:
            called.append("apply_async")
            return super().apply_async(*args, **kwargs)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            called.append("run")
            return super().__call__(*args, **kwargs)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    other: Any = import_module("celery").Celery("own", task_cls=Own, broker="memory://", backend="cache+memory://")
    other.conf.task_always_eager = True
    other.set_current()

    assert send_email.delay(MAIL).get()["id"] == emu.sent[0].id
    assert called == ["apply_async", "run"]


def test_without_django_on_commit_says_what_it_needs(app: Any) -> None:
    with pytest.raises(AttributeError, match="Django"):
        send_email.delay_on_commit(MAIL)
    with pytest.raises(JobError):
        send_email.delay_on_commit(cast("Any", {}))


def test_eagerly_it_is_tried_three_times_without_waiting(app: Any, emu: EmulatorSession) -> None:
    app.conf.task_always_eager = True
    emu.fail(503, times=2, retry_after=600, path="/emails")

    assert send_email.delay(MAIL).get()["id"] == emu.sent[0].id

    app.conf.task_eager_propagates = True
    emu.fail(503, times=3, path="/emails")
    with pytest.raises(PostStackError) as raised:
        send_email.delay(MAIL)
    assert raised.value.status_code == 503


def test_called_directly_it_sends_and_raises_what_the_client_raises(app: Any, emu: EmulatorSession) -> None:
    assert send_email(MAIL)["id"] == emu.sent[0].id

    emu.fail(503, times=1, path="/emails")
    with pytest.raises(PostStackError) as raised:
        send_email(MAIL)
    assert raised.value.status_code == 503


def test_a_chain_passes_the_payload_on(worker: Any, emu: EmulatorSession) -> None:
    answer = (worker.tasks["tests.written"].s("Ada") | send_email.s()).apply_async().get(timeout=PATIENCE)

    assert answer["id"] == emu.sent[0].id
    assert emu.sent[0].subject == "Hi Ada"
