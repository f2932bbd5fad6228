"""For tests of projects that send through PostStack: a mailer that keeps everything, signed webhooks, failures.

    from poststack_django.testing import assert_sent, override_mailer

    @override_mailer()
    class SignUpTests(TestCase):
        def test_a_new_customer_is_welcomed(self):
            self.client.post("/sign-up/", {"email": "ada@example.com"})

            (letter,) = assert_sent(to="ada@example.com", tag="welcome")

Everything works in `unittest` and in pytest, which has the fixtures `poststack_outbox`, `poststack_webhook` and
`django_poststack` besides. No other part of the package imports this one.
"""

from poststack_django.testing.api import SendFailure, fail_next_send
from poststack_django.testing.assertions import assert_sent, sent_messages
from poststack_django.testing.backend import EmailBackend
from poststack_django.testing.emulated import emulated_poststack
from poststack_django.testing.mailers import override_mailer
from poststack_django.testing.webhooks import SignedWebhook, signed_webhook

__all__ = [
    "EmailBackend",
    "SendFailure",
    "SignedWebhook",
    "assert_sent",
    "emulated_poststack",
    "fail_next_send",
    "override_mailer",
    "sent_messages",
    "signed_webhook",
]
