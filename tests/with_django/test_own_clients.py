"""A client of the project's own, which need not know batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from poststack import PostStackConnectionError, PostStackError, PostStackResponseError
from poststack_django.backends import EmailBackend
from poststack_django.errors import NotAllSentError
from poststack_django.models import SentEmail
from tests.with_django.messages import TimeLimit, message, messages, states, status_of

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.django_db


class OneByOne:
    """Sends, and knows no batches."""

    def __init__(self, *answers: object) -> None:
        self.emails = self
        self.answers = list(answers)
        self.subjects: list[str] = []

    def send(self, input: dict[str, Any], /) -> object:
        self.subjects.append(input["subject"])
        answer = self.answers.pop(0) if self.answers else {"id": f"em_{len(self.subjects)}"}
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_client_without_batches_sends_one_by_one(settings: Any) -> None:
    client = OneByOne()
    settings.POSTSTACK = {"CLIENT": lambda: client}
    three = messages(3)

    assert EmailBackend().send_messages(three) == 3
    assert client.subjects == ["Subject 0", "Subject 1", "Subject 2"]
    assert [status_of(one).id for one in three] == ["em_1", "em_2", "em_3"]


@pytest.mark.parametrize(
    "failure", [PostStackConnectionError(0, "no answer"), TimeLimit(), PostStackError(403, "No permission")]
)
def test_a_client_without_batches_is_not_called_after_a_failure(settings: Any, failure: Exception) -> None:
    client = OneByOne({"id": "em_1"}, failure)
    settings.POSTSTACK = {"CLIENT": lambda: client}
    four = messages(4)
    with pytest.raises(type(failure) if isinstance(failure, TimeLimit) else NotAllSentError):
        EmailBackend().send_messages(four)

    assert len(client.subjects) == 2
    assert states(four)[0] == "queued"
    assert states(four)[2:] == ["unsent", "unsent"]
    assert SentEmail.objects.count() == 2


@pytest.mark.parametrize("refusal", [PostStackError(422, "No"), ValueError("wrong payload")])
def test_a_client_without_batches_goes_on_after_a_refusal(settings: Any, refusal: Exception) -> None:
    client = OneByOne(refusal)
    settings.POSTSTACK = {"CLIENT": lambda: client}
    three = messages(3)
    with pytest.raises(type(refusal)):
        EmailBackend().send_messages(three)

    assert states(three) == ["refused", "queued", "queued"]


@pytest.mark.parametrize("answer", [7, {}, {"id": None}, {"id": ""}, "em_1"])
def test_a_client_that_names_no_id_leaves_the_email_unconfirmed(settings: Any, answer: object) -> None:
    settings.POSTSTACK = {"CLIENT": lambda: OneByOne(answer)}
    one = message()
    with pytest.raises(PostStackResponseError):
        EmailBackend().send_messages([one])

    assert status_of(one).status == "unknown"
