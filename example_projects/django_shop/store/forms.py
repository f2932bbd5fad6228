"""What customers fill in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm, UsernameField
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

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
        email: str = self.cleaned_data["email"].lower()
        if User.objects.filter(username=email).exists():
            raise ValidationError("There is an account with this address already. Log in instead.")
        return email

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        password_validation.validate_password(password)
        return password

    def save(self) -> User:
        given: dict[str, Any] = self.cleaned_data
        return User.objects.create_user(
            username=given["email"], email=given["email"], password=given["password"], first_name=given["name"]
        )


class LogInForm(AuthenticationForm):
    """Customers log in with their address, however they capitalise it."""

    username = UsernameField(label="E-mail", widget=forms.EmailInput({"autofocus": True, "autocomplete": "username"}))

    def clean_username(self) -> str:
        email: str = self.cleaned_data["username"]
        return email.lower()


class OrderForm(OrderFormBase):
    class Meta:
        model = Order
        fields = ("quantity",)
