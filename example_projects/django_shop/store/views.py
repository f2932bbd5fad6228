"""The shop's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from example_projects.django_shop.store.forms import OrderForm, SignUpForm
from example_projects.django_shop.store.mail import send_receipt, send_welcome
from example_projects.django_shop.store.models import Letter, Order, Product
from poststack_django.models import SentEmail

if TYPE_CHECKING:
    from django.db.models import QuerySet

NO_MAIL = "We could not send you an e-mail just now; everything else has worked."


class CustomerRequest(HttpRequest):
    """A request of somebody who is logged in."""

    user: User  # pyright: ignore[reportIncompatibleVariableOverride]  # a visitor cannot come this far


def home(request: HttpRequest) -> HttpResponse:
    return render(request, "store/home.html", {"products": Product.objects.all()})


def sign_up(request: HttpRequest) -> HttpResponse:
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        customer = form.save()
        login(request, customer)
        if send_welcome(customer):
            messages.success(request, f"Welcome, {customer.first_name}! We have sent you an e-mail.")
        else:
            messages.warning(request, NO_MAIL)
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
    placed.save()
    if send_receipt(placed):
        messages.success(request, f"Thank you! Order {placed.number} is on its way, its receipt too.")
    else:
        messages.warning(request, NO_MAIL)
    return redirect("account")


@login_required
def account(request: CustomerRequest) -> HttpResponse:
    orders = Order.objects.filter(customer=request.user).select_related("product")
    return render(request, "store/account.html", {"orders": orders, "emails": emails_of(request.user)})


@login_required
def account_mail(request: CustomerRequest) -> HttpResponse:
    """The table of e-mails alone, which the page fetches again while something is under way."""
    return render(request, "store/_emails.html", {"emails": emails_of(request.user)})


def emails_of(customer: User) -> QuerySet[SentEmail]:
    ids = Letter.objects.filter(customer=customer).values("email_id")
    return SentEmail.objects.filter(email_id__in=ids)
