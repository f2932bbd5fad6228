"""A forgotten password: from the form by way of the outbox to the link in the mail, and back into the shop."""

from __future__ import annotations

import re

from django.contrib.auth.models import User

from example_projects.django_shop.tests.shop import ShopTest
from poststack_django.models import EmailContent, SentEmail, Suppression


class ForgottenPasswordTests(ShopTest):
    def setUp(self) -> None:
        super().setUp()
        self.customer = User.objects.create_user("ada@example.com", "ada@example.com", "the forgotten one")

    def ask_for_a_link(self, email: str = "Ada@example.com") -> str:
        answer = self.client.post("/password/", {"email": email}, follow=True)
        self.assertRedirects(answer, "/password/sent/")
        return answer.content.decode()

    def link_in_the_mail(self) -> str:
        """Return the path of the link, as somebody who clicks it comes to it."""
        self.deliver()
        (link,) = re.findall(r"http://testserver(/\S+)", self.post.sent[-1].text or "")
        self.assertIn(f"http://testserver{link}", self.post.sent[-1].html or "")
        return str(link)

    def choose(self, link: str, password: str = "a better password") -> str:
        form = self.client.get(link, follow=True)
        where = form.redirect_chain[-1][0] if form.redirect_chain else link
        given = {"new_password1": password, "new_password2": password}
        return self.client.post(where, given, follow=True).content.decode()

    def test_the_link_leads_to_a_new_password(self) -> None:
        self.assertIn("/password/", self.page("/log-in/"))
        self.ask_for_a_link()

        self.assertIn("Your new password is stored", self.choose(self.link_in_the_mail()))
        self.assertTrue(self.client.login(username="ada@example.com", password="a better password"))

    def test_a_link_works_once(self) -> None:
        self.ask_for_a_link()
        link = self.link_in_the_mail()
        self.choose(link)

        self.assertIn("no longer works", self.client.get(link, follow=True).content.decode())

    def test_an_unknown_address_is_sent_nothing_and_looks_the_same(self) -> None:
        known, unknown = self.ask_for_a_link(), self.ask_for_a_link("eve@example.com")
        self.deliver()

        self.assertEqual(known, unknown)
        self.assertEqual([letter.to for letter in self.post.sent], [["ada@example.com"]])

    def test_so_does_an_address_whose_mail_bounced(self) -> None:
        unknown = self.ask_for_a_link("eve@example.com")
        Suppression.objects.create(address="ada@example.com")

        self.assertEqual(self.ask_for_a_link(), unknown)

    def test_the_link_is_neither_kept_nor_shown_nor_tracked(self) -> None:
        self.ask_for_a_link()
        self.deliver()
        self.client.force_login(self.customer)

        self.assertEqual((self.post.sent[-1].tags, EmailContent.objects.count()), (["password-reset"], 0))
        self.assertEqual(self.post.sent[-1].payload["tracking"], {"opens": False, "clicks": False})
        self.assertFalse(SentEmail.objects.related_to(self.customer).exists())
        self.assertNotIn("Choose a new password", self.page())
