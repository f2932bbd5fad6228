"""The shop from the customer's side, sending through an emulator in memory. No socket, no waiting."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import TransactionTestCase

from example_projects.django_shop.store.mail import invoice
from example_projects.django_shop.store.models import Letter, Order, Product
from poststack_django.models import SentEmail
from poststack_django.testing import emulated_poststack, override_mailer


class ShopTest(TransactionTestCase):
    """A visitor, and the world outside the shop."""

    def setUp(self) -> None:
        # Django's test runner replaces every mailer by one that keeps mail in a list; here the real one is under test.
        world = emulated_poststack()
        self.post = world.__enter__()
        self.addCleanup(world.__exit__, None, None, None)
        self.tea = Product.objects.create(slug="test", name="Test Tea", price="9.50", colour="#123456")

    def sign_up(self, email: str = "ada@example.com") -> str:
        form = {"name": "Ada", "email": email, "password": "a long password"}
        return self.client.post("/sign-up/", form, follow=True).content.decode()

    def order(self, quantity: int = 2) -> str:
        return self.client.post("/tea/test/order/", {"quantity": quantity}, follow=True).content.decode()


class SignUpTests(ShopTest):
    def test_a_new_customer_is_welcomed(self) -> None:
        page = self.sign_up()

        (letter,) = self.post.sent
        self.assertIn("Welcome, Ada!", page)
        self.assertEqual((letter.to, letter.subject), (["ada@example.com"], "Welcome to Kettle & Leaf"))
        self.assertIn("Hello Ada", letter.html or "")
        self.assertIn("Hello Ada", letter.text or "")
        self.assertEqual(letter.tags, ["welcome"])

    def test_the_account_shows_what_became_of_the_letter(self) -> None:
        self.assertIn('data-status="queued"', self.sign_up())

        self.post.clock.advance(60)
        self.assertIn('data-status="delivered"', self.client.get("/account/").content.decode())
        self.assertIn('data-status="delivered"', self.client.get("/account/mail/").content.decode())

    def test_a_letter_that_bounces_is_shown_as_bounced(self) -> None:
        self.sign_up("bounce@example.com")
        self.post.clock.advance(60)

        self.assertIn('data-status="bounced"', self.client.get("/account/").content.decode())

    def test_an_account_is_made_although_no_mail_can_be_sent(self) -> None:
        self.post.fail(503)
        page = self.sign_up()

        self.assertIn("could not send you an e-mail", page)
        self.assertTrue(User.objects.filter(username="ada@example.com").exists())
        self.assertEqual(SentEmail.objects.get().status, "unknown")

    def test_an_address_has_one_account(self) -> None:
        self.sign_up()
        self.client.logout()

        self.assertIn("There is an account with this address already", self.sign_up("ADA@example.com"))
        self.assertEqual(len(self.post.sent), 1)

    def test_a_weak_password_is_refused(self) -> None:
        page = self.client.post("/sign-up/", {"name": "Ada", "email": "ada@example.com", "password": "short"})

        self.assertContains(page, "too short")
        self.assertEqual(self.post.sent, [])

    def test_customers_come_back(self) -> None:
        self.sign_up()
        self.client.logout()
        answer = self.client.post("/log-in/", {"username": "Ada@Example.com", "password": "a long password"})

        self.assertRedirects(answer, "/account/")


class OrderTests(ShopTest):
    def test_a_receipt_carries_the_invoice(self) -> None:
        self.sign_up()
        page = self.order()

        order, receipt = Order.objects.get(), self.post.sent[-1]
        (file,) = receipt.attachments
        self.assertIn(f"Order {order.number}", page)
        self.assertEqual(receipt.subject, f"Your order {order.number}")
        self.assertEqual(file.filename, f"invoice-{order.number}.txt")
        self.assertEqual(file.content.decode(), invoice(order))
        self.assertIn("19.00 €", invoice(order))

    def test_an_order_stands_although_no_mail_can_be_sent(self) -> None:
        self.sign_up()
        self.post.fail(503)

        self.assertIn("could not send you an e-mail", self.order())
        self.assertEqual(Order.objects.count(), 1)

    def test_orders_need_an_account(self) -> None:
        self.order()

        self.assertEqual(Order.objects.count(), 0)
        self.assertContains(self.client.get("/tea/test/"), "Sign up to order")

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

        self.assertEqual(self.client.get("/account/").content.decode().count("Welcome to Kettle"), 1)


class PageTests(ShopTest):
    def test_everything_on_the_shelf_can_be_looked_at(self) -> None:
        self.assertContains(self.client.get("/"), "Test Tea")
        self.assertContains(self.client.get(self.tea.get_absolute_url()), "9.50")

    def test_the_admin_shows_orders_and_mail(self) -> None:
        self.sign_up()
        self.order()
        self.client.force_login(User.objects.create_superuser("owner"))

        self.assertContains(self.client.get("/admin/store/order/"), "Test Tea")
        self.assertContains(self.client.get("/admin/store/product/"), "Test Tea")
        self.assertContains(self.client.get("/admin/poststack/sentemail/"), "Your order")

    def test_mail_of_another_backend_is_not_remembered(self) -> None:
        with override_mailer("django.core.mail.backends.locmem.EmailBackend"):
            self.sign_up()

        self.assertEqual(Letter.objects.count(), 0)
