"""The shop from the customer's side, and the world outside it: an emulator in memory. No socket, no waiting."""

from __future__ import annotations

from contextlib import ExitStack

from django.conf import settings
from django.test import TransactionTestCase, override_settings
from django.utils import timezone

from example_projects.django_shop.store.models import Product
from poststack_django.models import SentEmail
from poststack_django.outbox import drain
from poststack_django.testing import emulated_poststack


@override_settings(
    # The passwords of tests need no protection, and hashing them well takes longer than all the rest.
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    # No queue: tests say when something is sent.
    POSTSTACK={**settings.POSTSTACK, "OUTBOX": {}},
)
class ShopTest(TransactionTestCase):
    """A visitor of the shop."""

    def setUp(self) -> None:
        # Django's test runner replaces every mailer by one that keeps mail in a list; here the outbox is under test.
        world = ExitStack()
        self.addCleanup(world.close)
        self.post = world.enter_context(emulated_poststack("poststack_django.backends.OutboxEmailBackend"))
        self.tea = Product.objects.create(slug="test", name="Test Tea", price="9.50", colour="#123456")

    def deliver(self) -> None:
        """Send what is in the outbox, and let it arrive."""
        drain()
        self.post.clock.advance(60)

    def deliver_later(self) -> None:
        """Let the delay before another attempt be over."""
        SentEmail.objects.filter(status="waiting").update(next_attempt_at=timezone.now())
        self.deliver()

    def page(self, path: str = "/account/") -> str:
        return self.client.get(path).content.decode()

    def sign_up(self, email: str = "ada@example.com") -> str:
        form = {"name": "Ada", "email": email, "password": "a long password"}
        return self.client.post("/sign-up/", form, follow=True).content.decode()

    def order(self, quantity: int = 2) -> str:
        return self.client.post("/tea/test/order/", {"quantity": quantity}, follow=True).content.decode()

    def change_address(self, email: str, password: str = "a long password") -> str:
        form = {"email": email, "password": password}
        return self.client.post("/account/address/", form, follow=True).content.decode()
