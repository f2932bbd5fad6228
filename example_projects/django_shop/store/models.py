"""What the shop sells, and to whom. Customers are users of `django.contrib.auth`."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone

if TYPE_CHECKING:
    from datetime import datetime

MOST_AT_ONCE = 20


class Product(models.Model):
    name: models.CharField[str, str] = models.CharField(max_length=80)
    slug: models.SlugField[str, str] = models.SlugField(unique=True)
    summary: models.CharField[str, str] = models.CharField(max_length=160)
    description: models.TextField[str, str] = models.TextField()
    price: models.DecimalField[Decimal, Decimal] = models.DecimalField(max_digits=6, decimal_places=2)
    colour: models.CharField[str, str] = models.CharField(max_length=7, help_text="Of the leaf, as #rrggbb")

    class Meta:
        ordering = ("price",)

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("product", args=[self.slug])


class Order(models.Model):
    customer: models.ForeignKey[User, User] = models.ForeignKey(User, on_delete=models.CASCADE, related_name="orders")
    product: models.ForeignKey[Product, Product] = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity: models.PositiveSmallIntegerField[int, int] = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(MOST_AT_ONCE)]
    )
    # The price at the time: products become dearer, invoices do not.
    unit_price: models.DecimalField[Decimal, Decimal] = models.DecimalField(max_digits=6, decimal_places=2)
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(default=timezone.now)

    if TYPE_CHECKING:
        id: models.BigAutoField[int, int]

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        return f"KL-{1000 + self.id}"

    @property
    def total(self) -> Decimal:
        return self.unit_price * self.quantity


class CustomerProfile(models.Model):
    """What the shop knows of a user beside what `django.contrib.auth` does."""

    user: models.OneToOneField[User, User] = models.OneToOneField(
        User, on_delete=models.CASCADE, primary_key=True, related_name="profile"
    )
    unreachable_since: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True, blank=True, help_text="When mail to this address bounced. Empty: it arrives, as far as we know."
    )

    def __str__(self) -> str:
        return str(self.user)
