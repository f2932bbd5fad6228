"""The shop from the customer's side, and the world outside it: an emulator in memory. No socket, no waiting."""

from __future__ import annotations

from contextlib import ExitStack

import django
from django.test import Client, TransactionTestCase, override_settings

from example_projects.django_shop.store.models import Product
from poststack.testing import emulator
from poststack_django.outbox import drain

SECRET = "the secret of the shop's webhook"
BACKEND = "poststack_django.backends.OutboxEmailBackend"
# Django's test runner replaces every mailer by one that keeps mail in a list; here the real one is under test.
MAIL = {"MAILERS": {"default": {"BACKEND": BACKEND}}} if django.VERSION >= (6, 1) else {"EMAIL_BACKEND": BACKEND}

QUICK = ["django.contrib.auth.hashers.MD5PasswordHasher"]


class ShopTest(TransactionTestCase):
    """A visitor of the shop."""

    def setUp(self) -> None:
        world = ExitStack()
        self.addCleanup(world.close)
        self.post = world.enter_context(emulator())
        self.post.on_webhook(self.receive, secret=SECRET)
        poststack = {"CLIENT": self.client_of_the_api, "WEBHOOK_SECRETS": SECRET, "SUPPRESSIONS": True}
        world.enter_context(override_settings(**MAIL, POSTSTACK=poststack, PASSWORD_HASHERS=QUICK))
        self.tea = Product.objects.create(slug="test", name="Test Tea", price="9.50", colour="#123456")

    def client_of_the_api(self) -> object:
        return self.post.client(max_retries=0)

    def receive(self, body: bytes, headers: dict[str, str]) -> int:
        """Pass a webhook of the emulator on to the shop."""
        answer = Client().post("/webhooks/poststack/", body, content_type="application/json", headers=headers)
        return answer.status_code

    def deliver(self) -> None:
        """Send what is in the outbox, and let it arrive."""
        drain()
        self.post.clock.advance(60)

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
