"""Django's own tests of mail backends, with ours. `test_shared.py` runs this file; pytest does not collect it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.test import SimpleTestCase, TestCase, override_settings

from poststack_django.backends import EmailBackend
from tests.with_django.api import BACKEND, HAS_MAILERS, RecordingApi
from tests.with_django.shared_tests.rebuilt import message_from

# Modules, never their test cases by name: the loader would run those, too.
mail_tests: Any = import_module("mail.tests")
IS_INSTALLED = apps.is_installed("poststack_django")

if TYPE_CHECKING:

    class Case(TestCase):
        """One of the two below."""

    class SharedTests(SimpleTestCase):
        """What is called here of what Django's tests provide."""

        def create_backend(self, *, fail_silently: bool) -> EmailBackend: ...

else:
    # Neither is a test case by itself. In Django 6.1 `BaseEmailBackendTests` is something else.
    SharedTests = (
        import_module("mail.test_backends").SharedEmailBackendTests if HAS_MAILERS else mail_tests.BaseEmailBackendTests
    )
    # Rows are written in a transaction for each test. Where there are none, Django refuses every query.
    Case = TestCase if IS_INSTALLED else SimpleTestCase


class Mailbox(SharedTests):
    """The API in memory, as the mailbox that Django's tests look into."""

    api: RecordingApi
    seen: int

    def setUp(self) -> None:
        super().setUp()
        self.api, self.seen = RecordingApi(), 0
        settings = override_settings(POSTSTACK={"CLIENT": self.api.client})
        settings.enable()
        self.addCleanup(settings.disable)

    def tearDown(self) -> None:
        super().tearDown()
        if IS_INSTALLED:
            # A row that cannot be stored stops no e-mail, so that Django's own tests would not notice.
            from poststack_django.models import SentEmail

            assert SentEmail.objects.exclude(email_id=None).count() == len(self.api.payloads)

    def get_mailbox_content(self) -> list[Any]:
        unseen = self.api.payloads[self.seen :]
        # As bytes and back: then even what Django asserts of MIME holds.
        return [mail_tests.message_from_bytes(message_from(payload).message().as_bytes()) for payload in unseen]

    def flush_mailbox(self) -> None:
        # The API numbers its ids by its payloads: forgetting them would give an id twice.
        self.seen = len(self.api.payloads)


if HAS_MAILERS:

    class MailersTests(Mailbox, Case):
        """Django 6.1 and later."""

        backend_class = EmailBackend

        def test_fail_silently_arg_accepted(self) -> None:
            # Django says of its own: "Tests for those backends [that do support fail_silently] should override this
            # test case to reflect continuing fail_silently support." This is what its SMTP backend has instead.
            for value in (True, False):
                with self.subTest(fail_silently=value):
                    assert self.create_backend(fail_silently=value).fail_silently is value

else:

    class EmailBackendTests(Mailbox, Case):
        """Django 5.2 and 6.0."""

        email_backend = BACKEND
