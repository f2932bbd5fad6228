"""No letter is lost, and none is sent twice."""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import datetime, timezone

from example_projects.fastapi_signup.letters import written
from example_projects.fastapi_signup.people import SignUp
from example_projects.fastapi_signup.tests.walks import Walks


def store(walks: Walks) -> None:
    """Do the first half of what signing up does, up to where the process could be killed."""
    new = SignUp("Ada", "ada@example.com", 0, secrets.token_urlsafe(18), secrets.token_urlsafe(18))
    walks.call(walks.parts.storage.add, new, written("confirm", new, walks.settings), attempt_in=30.0)


def test_a_letter_is_sent_later_when_the_post_does_not_answer(walks: Walks) -> None:
    walks.post.fail(503, times=1)
    page = walks.sign_up()
    assert 'data-status="pending"' in page
    assert "503" not in page

    assert walks.sweep() == 1
    walks.deliver()

    (letter,) = walks.post.sent
    assert letter.status == "delivered"
    assert walks.rows("SELECT state, attempts, payload FROM letters") == [("accepted", 2, None)]


def test_a_letter_whose_answer_was_lost_is_not_doubled(walks: Walks) -> None:
    walks.post.fail(lost_answer=True, times=1)
    assert 'data-status="pending"' in walks.sign_up()

    walks.sweep()

    (letter,) = walks.post.sent
    assert walks.rows("SELECT email_id FROM letters") == [(letter.id,)]


def test_several_that_sweep_at_once_send_one_letter(walks: Walks) -> None:
    store(walks)
    (pending,) = walks.call(walks.parts.storage.pending, due=False)

    async def at_once() -> None:
        await asyncio.gather(*[walks.parts.post_office.send(pending, walks.app.state.poststack) for _ in range(5)])

    walks.call(at_once)

    (letter,) = walks.post.sent
    assert walks.rows("SELECT state, email_id FROM letters") == [("accepted", letter.id)]


def test_a_letter_that_is_refused_is_not_tried_again(walks: Walks) -> None:
    walks.post.fail(
        422, code="invalid_recipient", error="ada@example.com is on the list of the Secret Service", times=1
    )
    page = walks.sign_up()

    assert 'data-status="refused"' in page
    assert "Secret Service" not in page
    assert walks.sweep() == 0


def test_what_an_earlier_life_has_left_over_is_sent_at_the_start(stopped: Walks) -> None:
    with stopped.running():
        store(stopped)
    assert not stopped.post.sent

    with stopped.running():
        pass

    (letter,) = stopped.post.sent
    assert stopped.rows("SELECT email_id FROM letters") == [(letter.id,)]


def test_a_new_letter_is_left_to_the_request_that_stored_it(walks: Walks) -> None:
    store(walks)

    assert walks.call(walks.parts.post_office.sweep, walks.app.state.poststack) == 0


def test_a_letter_older_than_its_key_is_given_up(walks: Walks) -> None:
    store(walks)
    walks.rows("UPDATE letters SET created_at = created_at - 86400")

    walks.sweep()

    assert not walks.post.sent
    assert walks.rows("SELECT state, payload FROM letters") == [("given_up", None)]


def test_events_that_come_before_the_id_are_not_lost(walks: Walks) -> None:
    walks.post.fail(lost_answer=True, times=1)
    walks.sign_up()
    walks.deliver()
    walks.sweep()

    page = walks.rows("SELECT page_token FROM sign_ups")[0][0]
    assert 'data-status="delivered"' in walks.browser.get(f"/sign-ups/{page}").text


def test_events_in_the_wrong_order_change_nothing(walks: Walks) -> None:
    walks.sign_up()
    (letter,) = walks.post.sent
    now = datetime.now(timezone.utc)
    for kind in ("email.complained", "email.delivered", "email.sent", "email.delivered"):
        walks.call(walks.parts.storage.add_event, letter.id, kind, now)

    page = walks.rows("SELECT page_token FROM sign_ups")[0][0]
    assert 'data-status="complained"' in walks.browser.get(f"/sign-ups/{page}").text


def test_events_of_other_emails_are_forgotten(walks: Walks) -> None:
    walks.sign_up()
    (letter,) = walks.post.sent
    for email_id in (letter.id, "em_of_somebody_else"):
        walks.call(walks.parts.storage.add_event, email_id, "email.sent", datetime.now(timezone.utc))

    walks.call(walks.parts.storage.forget_foreign_events, time.time() + 60)

    assert walks.rows("SELECT email_id FROM events") == [(letter.id,)]


def test_webhooks_without_a_signature_are_refused(walks: Walks) -> None:
    answer = walks.browser.post("/webhooks/poststack", json={"type": "email.bounced", "data": {"email_id": "em_1"}})

    assert answer.status_code in {401, 403}
    assert walks.rows("SELECT * FROM events") == []
