"""What the shop's owner sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import CharField, OuterRef, Subquery
from django.db.models.functions import Cast

from example_projects.django_shop.store.customers import update_reachability
from example_projects.django_shop.store.models import Order, Product
from poststack_django.admin import RelatedEmailsMixin
from poststack_django.models import SentEmail
from poststack_django.status import Status

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.forms import ModelForm
    from django.http import HttpRequest

    OrderAdminBase = admin.ModelAdmin[Order]
    ProductAdminBase = admin.ModelAdmin[Product]
    UserAdminBase = UserAdmin[User]
else:  # Generic in the type stubs only.
    OrderAdminBase = ProductAdminBase = admin.ModelAdmin
    UserAdminBase = UserAdmin

admin.site.site_header = "Kettle & Leaf"
admin.site.site_title = "Kettle & Leaf"
admin.site.unregister(User)


@admin.register(Product)
class ProductAdmin(ProductAdminBase):
    list_display = ("name", "price", "summary")
    prepopulated_fields = {"slug": ("name",)}  # noqa: RUF012  # as Django documents it


@admin.register(Order)
class OrderAdmin(RelatedEmailsMixin, OrderAdminBase):
    list_display = ("number", "receipt", "customer", "product", "quantity", "total", "created_at")
    list_select_related = ("customer", "product")
    date_hierarchy = "created_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        """Return the orders, each with the status of the newest e-mail about it, in one query."""
        about = SentEmail.objects.filter(
            relations__model=Order._meta.label_lower, relations__object_id=Cast(OuterRef("pk"), CharField())
        )
        return super().get_queryset(request).annotate(receipt_status=Subquery(about.values("status")[:1]))

    @admin.display(description="receipt", ordering="receipt_status", empty_value="none")
    def receipt(self, order: Order) -> str | None:
        status: str | None = getattr(order, "receipt_status", None)
        return None if status is None else str(Status(status).label)


@admin.register(User)
class CustomerAdmin(RelatedEmailsMixin, UserAdminBase):
    list_display = ("username", "first_name", "reachable", "is_staff")
    list_filter = (("profile__unreachable_since", admin.EmptyFieldListFilter), "is_staff", "is_active")
    list_select_related = ("profile",)

    @admin.display(boolean=True, description="reachable", ordering="profile__unreachable_since")
    def reachable(self, customer: User) -> bool:
        profile = getattr(customer, "profile", None)  # Users made elsewhere have none before their first e-mail.
        return profile is None or profile.unreachable_since is None

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        """Store the customer, who may have another address now."""
        super().save_model(request, obj, form, change)
        update_reachability(obj.email)
