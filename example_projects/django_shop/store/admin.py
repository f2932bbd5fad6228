"""What the shop's owner sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from example_projects.django_shop.store.models import Order, Product

if TYPE_CHECKING:
    OrderAdminBase = admin.ModelAdmin[Order]
    ProductAdminBase = admin.ModelAdmin[Product]
else:  # Generic in the type stubs only.
    OrderAdminBase = ProductAdminBase = admin.ModelAdmin

admin.site.site_header = "Kettle & Leaf"
admin.site.site_title = "Kettle & Leaf"


@admin.register(Product)
class ProductAdmin(ProductAdminBase):
    list_display = ("name", "price", "summary")
    prepopulated_fields = {"slug": ("name",)}  # noqa: RUF012  # as Django documents it


@admin.register(Order)
class OrderAdmin(OrderAdminBase):
    list_display = ("number", "customer", "product", "quantity", "total", "created_at")
    list_select_related = ("customer", "product")
    date_hierarchy = "created_at"
