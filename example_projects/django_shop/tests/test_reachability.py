"""Customers whose mail comes back: told so by the shop, until they correct their address."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.models import User

from example_projects.django_shop.store.models import CustomerProfile, Order
from example_projects.django_shop.tests.shop import ShopTest
from poststack_django.models import SentEmail, Suppression

UNREACHABLE = "We cannot reach you at"


class ReachabilityTests(ShopTest):
    wrong: ClassVar[str] = "bounce@example.com"

    def test_a_customer_whose_mail_bounces_is_asked_to_correct_the_address(self) -> None:
        self.assertNotIn(UNREACHABLE, self.sign_up(self.wrong))
        self.deliver()

        for path in ("/", "/account/", "/account/mail/"):
            self.assertEqual(self.page(path).count(UNREACHABLE), 1, path)
        self.assertIn('data-status="bounced"', self.page())

    def test_a_bounce_that_is_quicker_than_the_answer_of_the_call_counts(self) -> None:
        self.post.fail(lost_answer=True, times=1)
        self.sign_up(self.wrong)
        self.deliver()
        self.assertNotIn(UNREACHABLE, self.page())

        self.deliver_later()
        self.assertIn(UNREACHABLE, self.page())

    def test_others_are_not(self) -> None:
        self.sign_up(self.wrong)
        self.client.logout()
        self.sign_up()
        self.deliver()

        self.assertNotIn(UNREACHABLE, self.page())

    def test_a_corrected_address_is_written_to(self) -> None:
        self.sign_up(self.wrong)
        self.deliver()
        page = self.change_address("Ada@example.com")
        self.deliver()

        self.assertNotIn(UNREACHABLE, page)
        self.assertIn("From now on we write to ada@example.com", page)
        self.assertEqual((self.post.sent[-1].to, self.post.sent[-1].tags), (["ada@example.com"], ["new-address"]))
        self.assertTrue(self.client.login(username="ada@example.com", password="a long password"))

    def test_a_bounce_that_arrives_after_the_correction_flags_nobody(self) -> None:
        self.sign_up(self.wrong)
        self.change_address("ada@example.com")
        self.deliver()

        self.assertNotIn(UNREACHABLE, self.page())

    def test_a_later_mail_that_arrives_clears_the_flag(self) -> None:
        self.sign_up()
        self.deliver()
        self.post.simulate(self.post.sent[-1].id, "bounced")
        self.assertIn(UNREACHABLE, self.page())

        # The owner has asked the customer, whose mailbox was full, and lifts the suppression here and at PostStack.
        Suppression.objects.all().delete()
        self.post.client().suppressions.remove("ada@example.com")
        self.order()
        self.deliver()
        self.assertNotIn(UNREACHABLE, self.page())

    def test_the_order_of_events_does_not_matter(self) -> None:
        self.sign_up()
        self.order()
        self.deliver()
        first, last = SentEmail.objects.order_by("pk")
        self.post.simulate(str(last.email_id), "bounced")
        self.assertIn(UNREACHABLE, self.page())
        self.post.simulate(str(first.email_id), "delivered")

        self.assertIn(UNREACHABLE, self.page())

    def test_an_order_stands_although_its_receipt_cannot_be_sent(self) -> None:
        self.sign_up(self.wrong)
        self.deliver()
        Suppression.objects.get_or_create(address=self.wrong)
        page = self.order()
        self.deliver()

        self.assertIn("could not write to you", page)
        self.assertEqual(SentEmail.objects.related_to(Order.objects.get()).get().status, "refused")
        self.assertEqual(len(self.post.sent), 1)

    def test_whoever_signs_up_with_an_address_that_bounced_before_is_told_at_once(self) -> None:
        self.sign_up(self.wrong)
        self.deliver()
        User.objects.all().delete()

        self.assertIn(UNREACHABLE, self.sign_up(self.wrong))

    def test_changing_the_address_needs_the_password(self) -> None:
        self.sign_up()

        self.assertIn("not your password", self.change_address("eve@example.com", "a guess"))
        self.assertEqual(User.objects.get().email, "ada@example.com")

    def test_an_address_of_somebody_else_is_refused(self) -> None:
        self.sign_up("bob@example.com")
        self.client.logout()
        self.sign_up()

        self.assertIn("There is an account with this address already", self.change_address("BOB@example.com"))

    def test_the_owner_sees_who_cannot_be_reached(self) -> None:
        self.sign_up(self.wrong)
        self.deliver()
        self.client.logout()
        self.sign_up()
        self.client.force_login(User.objects.create_superuser("owner"))

        self.assertEqual(self.page("/admin/auth/user/").count('alt="False"'), 1 + 2)  # They are not staff, either.
        unreachable = self.page("/admin/auth/user/?profile__unreachable_since__isempty=0")
        self.assertIn(self.wrong, unreachable)
        self.assertNotIn("ada@example.com", unreachable)
        self.assertEqual(CustomerProfile.objects.filter(unreachable_since=None).count(), 1)

    def test_the_owner_may_correct_an_address(self) -> None:
        self.sign_up(self.wrong)
        self.deliver()
        customer = User.objects.get()
        self.client.force_login(User.objects.create_superuser("owner"))
        form = {"username": "ada@example.com", "email": "ada@example.com", "is_active": "on"}
        joined = {"date_joined_0": "2026-01-31", "date_joined_1": "12:00:00"}
        answer = self.client.post(f"/admin/auth/user/{customer.pk}/change/", {**form, **joined})

        self.assertRedirects(answer, "/admin/auth/user/")
        self.client.force_login(customer)
        self.assertNotIn(UNREACHABLE, self.page())
