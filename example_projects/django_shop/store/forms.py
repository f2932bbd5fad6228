"""What customers fill in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm, PasswordResetForm, UsernameField
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.urls import reverse

from example_projects.django_shop.store.customers import update_reachability
from example_projects.django_shop.store.mail import send_password_reset
from example_projects.django_shop.store.models import Order

if TYPE_CHECKING:
    OrderFormBase = forms.ModelForm[Order]
else:  # Generic in the type stubs only.
    OrderFormBase = forms.ModelForm


class SignUpForm(forms.Form):
    name = forms.CharField(max_length=80, label="Your name", widget=forms.TextInput({"autocomplete": "name"}))
    email = forms.EmailField(max_length=150, label="E-mail", widget=forms.EmailInput({"autocomplete": "email"}))
    password = forms.CharField(
        label="Password",
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        help_text="At least 8 characters.",
    )

    def clean_email(self) -> str:
        return unused_address(self.cleaned_data["email"])

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        password_validation.validate_password(password)
        return password

    def save(self) -> User:
        given: dict[str, Any] = self.cleaned_data
        user = User.objects.create_user(
            username=given["email"], email=given["email"], password=given["password"], first_name=given["name"]
        )
        update_reachability(user.email)
        return user


class LogInForm(AuthenticationForm):
    """Customers log in with their address, however they capitalise it."""

    username = UsernameField(label="E-mail", widget=forms.EmailInput({"autofocus": True, "autocomplete": "username"}))

    def clean_username(self) -> str:
        email: str = self.cleaned_data["username"]
        return email.lower()


class AddressForm(forms.Form):
    """Another address for somebody who is logged in; whoever only found the browser open cannot take the account."""

    email = forms.EmailField(max_length=150, label="New e-mail", widget=forms.EmailInput({"autocomplete": "email"}))
    password = forms.CharField(
        label="Your password", widget=forms.PasswordInput({"autocomplete": "current-password"}), strip=False
    )

    def __init__(self, user: User, *args: Any) -> None:
        self.user = user
        super().__init__(*args)

    def clean_email(self) -> str:
        return unused_address(self.cleaned_data["email"])

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise ValidationError("This is not your password.")
        return password

    def save(self) -> User:
        self.user.username = self.user.email = self.cleaned_data["email"]
        self.user.save(update_fields=["username", "email"])
        update_reachability(self.user.email)
        return self.user


class ForgottenPasswordForm(PasswordResetForm):
    """Django's own, with the shop's e-mail."""

    email = forms.EmailField(max_length=150, label="E-mail", widget=forms.EmailInput({"autocomplete": "email"}))

    def send_mail(
        self,
        subject_template_name: str,
        email_template_name: str,
        context: dict[str, Any],
        from_email: str | None,
        to_email: str,
        html_email_template_name: str | None = None,
    ) -> None:
        path = reverse("new-password", args=[context["uid"], context["token"]])
        send_password_reset(context["user"], f"{context['protocol']}://{context['domain']}{path}")


class OrderForm(OrderFormBase):
    class Meta:
        model = Order
        fields = ("quantity",)


def unused_address(email: str) -> str:
    """Return an address as it is stored. Raises `ValidationError` when it belongs to an account."""
    if User.objects.filter(username=email.lower()).exists():
        raise ValidationError("There is an account with this address already.")
    return email.lower()
