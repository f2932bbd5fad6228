"""The shop's pages."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordResetConfirmView, PasswordResetView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.views.decorators.debug import sensitive_post_parameters

from example_projects.django_shop.store.forms import AddressForm, ForgottenPasswordForm, OrderForm, SignUpForm
from example_projects.django_shop.store.mail import send_new_address, send_welcome
from example_projects.django_shop.store.models import Order, Product
from example_projects.django_shop.store.orders import place_order
from poststack_django.models import SentEmail

NO_MAIL = "We could not write to you."


class CustomerRequest(HttpRequest):
    """A request of somebody who is logged in."""

    user: User  # pyright: ignore[reportIncompatibleVariableOverride]  # a visitor cannot come this far


def home(request: HttpRequest) -> HttpResponse:
    return render(request, "store/home.html", {"products": Product.objects.all()})


@sensitive_post_parameters("password")
def sign_up(request: HttpRequest) -> HttpResponse:
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            customer = form.save()
            written = send_welcome(customer)
        login(request, customer)
        if written:
            messages.success(request, f"Welcome, {customer.first_name}! An e-mail is on its way to you.")
        else:
            messages.warning(request, f"Welcome, {customer.first_name}! {NO_MAIL}")
        return redirect("account")
    return render(request, "store/sign_up.html", {"form": form})


def product(request: HttpRequest, slug: str) -> HttpResponse:
    return render(
        request, "store/product.html", {"product": get_object_or_404(Product, slug=slug), "form": OrderForm()}
    )


@login_required
def order(request: CustomerRequest, slug: str) -> HttpResponse:
    chosen = get_object_or_404(Product, slug=slug)
    form = OrderForm(request.POST or None)
    if request.method != "POST":  # Somebody who had to log in first.
        return redirect(chosen)
    if not form.is_valid():
        return render(request, "store/product.html", {"product": chosen, "form": form})
    placed = form.save(commit=False)
    placed.customer, placed.product, placed.unit_price = request.user, chosen, chosen.price
    if place_order(placed):
        messages.success(request, f"Thank you! Order {placed.number} is on its way, its receipt too.")
    else:
        messages.warning(request, f"Thank you! Order {placed.number} is on its way. {NO_MAIL}")
    return redirect("account")


@login_required
def account(request: CustomerRequest) -> HttpResponse:
    orders = Order.objects.filter(customer=request.user).select_related("product")
    emails = SentEmail.objects.related_to(request.user)
    return render(request, "store/account.html", {"orders": orders, "emails": emails})


@login_required
def account_mail(request: CustomerRequest) -> HttpResponse:
    """The table of e-mails alone, which the page fetches again while something is under way."""
    return render(request, "store/_emails.html", {"emails": SentEmail.objects.related_to(request.user)})


@sensitive_post_parameters("password")
@login_required
def address(request: CustomerRequest) -> HttpResponse:
    form = AddressForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            written = send_new_address(form.save())
        if written:
            messages.success(request, f"Thank you. From now on we write to {request.user.email}.")
        else:
            messages.warning(request, NO_MAIL)
        return redirect("account")
    return render(request, "store/address.html", {"form": form})


class ForgottenPassword(PasswordResetView):
    form_class = ForgottenPasswordForm
    template_name = "store/forgotten_password.html"
    success_url = reverse_lazy("password-mail-sent")


class NewPassword(PasswordResetConfirmView):
    template_name = "store/new_password.html"
    success_url = reverse_lazy("log-in")

    def form_valid(self, form: SetPasswordForm[AbstractBaseUser]) -> HttpResponse:
        messages.success(self.request, "Your new password is stored. Log in with it.")
        return super().form_valid(form)
