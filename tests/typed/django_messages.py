"""What type checkers say of the Django package. This module is checked, never run."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.core.mail import EmailMessage
from typing_extensions import assert_type

from poststack import PostStackError
from poststack_django.aio import asend, asend_mail, asend_messages
from poststack_django.backends import EmailBackend
from poststack_django.message import PostStackEmail, PostStackMixin
from poststack_django.result import SendStatus, status_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from poststack_django.errors import NotAllSentError


class Letter(PostStackMixin, EmailMessage):
    """A class of one's own."""

    tags = ("letter",)


def messages(user: User, moment: datetime) -> None:
    message = PostStackEmail(
        "Subject",
        "Body",
        None,
        [user.email],
        html="<p>Body</p>",
        cc=["c@example.com"],
        headers={"X-A": "1"},
        tags=["receipt"],
        variables={"total": 7},
        scheduled_at=moment,
        tracking={"opens": True},
        signature="none",
        metadata={"order": 7},
        related_to=[user],
    )
    assert_type(message.send(), int)
    assert_type(message.poststack_status, SendStatus | None)
    assert_type(status_of(message), SendStatus | None)
    message.tags = ["other"]
    Letter("Subject").related_to = user


async def from_a_loop(letter: Letter) -> None:
    assert_type(await letter.asend(), int)
    assert_type(await asend(letter, using="other"), int)
    assert_type(await asend_messages([letter]), int)
    assert_type(await asend_mail("Subject", "Body", None, ["b@example.com"], html_message="<p>Body</p>"), int)


def backends() -> None:
    backend = EmailBackend(
        api_key=lambda message: "sk_test_x",
        send_defaults={"tags": ["shop"]},
        allowed_recipients=["*@example.com"],
        redirect_to=None,
        deadline=None,
        block_event_loop=True,
    )
    assert_type(backend.send_messages([]), int)


def errors(error: NotAllSentError) -> None:
    assert_type(error.sent, list[EmailMessage])
    assert_type(error.unsent, list[tuple[EmailMessage, Exception | None]])
    assert_type(error.first, PostStackError)
