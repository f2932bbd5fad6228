"""Signing up, ordering, and the letters about both."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.test import override_settings

from example_projects.django_shop import celery_app
from example_projects.django_shop.store.mail import invoice
from example_projects.django_shop.store.models import Order
from example_projects.django_shop.store.orders import place_order
from example_projects.django_shop.tests.shop import ShopTest
from poststack_django.models import SentEmail
from poststack_django.outbox import drain


class SignUpTests(ShopTest):
    def test_a_new_customer_is_welcomed(self) -> None:
        page = self.sign_up()
        self.deliver()

        (letter,) = self.post.sent
        self.assertIn("Welcome, Ada!", page)
        self.assertEqual((letter.to, letter.subject), (["ada@example.com"], "Welcome to Kettle & Leaf"))
        self.assertIn("Hello Ada", letter.html or "")
        self.assertIn("Hello Ada", letter.text or "")
        self.assertEqual(letter.tags, ["welcome"])

    def test_the_account_shows_what_became_of_the_letter(self) -> None:
        self.assertIn('data-status="waiting"', self.sign_up())
        drain()
        self.assertIn('data-status="queued"', self.page())

        self.post.clock.advance(60)
        self.assertIn('data-status="delivered"', self.page())
        self.assertIn('data-status="delivered"', self.page("/account/mail/"))

    def test_an_outage_delays_the_letter(self) -> None:
        self.post.fail(503, times=1)
        self.sign_up()
        self.assertEqual(drain().put_off, 1)
        self.assertIn('data-status="waiting"', self.page())

        self.deliver_later()
        self.assertIn('data-status="delivered"', self.page())

    def test_an_address_has_one_account(self) -> None:
        self.sign_up()
        self.client.logout()

        self.assertIn("There is an account with this address already", self.sign_up("ADA@example.com"))
        self.assertEqual(SentEmail.objects.count(), 1)

    def test_a_weak_password_is_refused(self) -> None:
        page = self.client.post("/sign-up/", {"name": "Ada", "email": "ada@example.com", "password": "short"})

        self.assertContains(page, "too short")
        self.assertFalse(SentEmail.objects.exists())

    def test_customers_come_back(self) -> None:
        self.sign_up()
        self.client.logout()
        answer = self.client.post("/log-in/", {"username": "Ada@Example.com", "password": "a long password"})

        self.assertRedirects(answer, "/account/")


class OrderTests(ShopTest):
    def test_a_receipt_carries_the_invoice(self) -> None:
        self.sign_up()
        page = self.order()
        self.deliver()

        order, receipt = Order.objects.get(), self.post.sent[-1]
        (file,) = receipt.attachments
        self.assertIn(f"Order {order.number}", page)
        self.assertEqual(receipt.subject, f"Your order {order.number}")
        self.assertEqual(file.filename, f"invoice-{order.number}.txt")
        self.assertEqual(file.content.decode(), invoice(order))
        self.assertIn("19.00 €", invoice(order))

    def test_an_order_that_fails_in_the_end_sends_nothing(self) -> None:
        customer = User.objects.create_user("ada", "ada@example.com")

        with self.assertRaises(ConnectionError), transaction.atomic():
            place_order(Order(customer=customer, product=self.tea, unit_price=self.tea.price))
            self.assertEqual(SentEmail.objects.get().status, "waiting")
            raise ConnectionError("The till does not answer.")

        self.deliver()
        self.assertEqual((Order.objects.count(), SentEmail.objects.count(), self.post.sent), (0, 0, []))

    def test_with_a_queue_the_commit_has_the_receipt_sent(self) -> None:
        self.sign_up()
        celery_app.conf.update(task_always_eager=True)
        self.addCleanup(celery_app.conf.update, task_always_eager=False)
        queued = override_settings(POSTSTACK={**settings.POSTSTACK, "OUTBOX": {"TASKS": "celery"}})
        with queued, transaction.atomic():
            self.order()
            self.assertEqual(self.post.sent, [])

        (receipt,) = self.post.sent
        self.assertEqual(receipt.tags, ["receipt"])

    def test_a_receipt_is_about_its_order_and_its_customer(self) -> None:
        self.sign_up()
        self.order()

        order = Order.objects.get()
        receipt = SentEmail.objects.related_to(order).get()
        self.assertEqual(receipt.tags, ["receipt"])
        self.assertIn(receipt, SentEmail.objects.related_to(order.customer))

    def test_orders_need_an_account(self) -> None:
        self.order()

        self.assertEqual(Order.objects.count(), 0)
        self.assertIn("Sign up to order", self.page("/tea/test/"))

    def test_whoever_logged_in_to_order_comes_back_to_the_tea(self) -> None:
        self.sign_up()

        self.assertRedirects(self.client.get("/tea/test/order/"), "/tea/test/")

    def test_no_more_than_a_crate(self) -> None:
        self.sign_up()

        self.assertIn("less than or equal to 20", self.order(21))
        self.assertEqual(Order.objects.count(), 0)

    def test_customers_see_their_own_mail_only(self) -> None:
        self.sign_up()
        self.client.logout()
        self.sign_up("bob@example.com")

        self.assertEqual(self.page().count("Welcome to Kettle"), 1)


class PageTests(ShopTest):
    def test_everything_on_the_shelf_can_be_looked_at(self) -> None:
        self.assertIn("Test Tea", self.page("/"))
        self.assertIn("9.50", self.page(self.tea.get_absolute_url()))

    def test_the_owner_sees_orders_with_their_receipts(self) -> None:
        self.sign_up()
        self.order()
        self.deliver()
        order = Order.objects.get()
        self.client.force_login(User.objects.create_superuser("owner"))

        orders = self.page("/admin/store/order/")
        self.assertIn("Test Tea", orders)
        self.assertIn('<td class="field-receipt">Delivered</td>', orders)
        about_the_order = self.page(f"/admin/store/order/{order.pk}/change/")
        self.assertIn(f"Your order {order.number}", about_the_order)
        self.assertNotIn("Welcome to Kettle", about_the_order)
        self.assertIn("Welcome to Kettle", self.page(f"/admin/auth/user/{order.customer.pk}/change/"))

    def test_the_owner_sees_everything_else(self) -> None:
        self.sign_up()
        self.client.force_login(User.objects.create_superuser("owner"))

        self.assertIn("Test Tea", self.page("/admin/store/product/"))
        self.assertIn("Welcome to Kettle", self.page("/admin/poststack/sentemail/"))
