"""From an object of the project to the e-mails about it, and back."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from django.apps import apps
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from poststack_django.admin.common import STYLES, has_permission
from poststack_django.models import SentEmail
from poststack_django.querysets import model_label
from poststack_django.related import emails_about

if TYPE_CHECKING:
    from django.db.models import Model
    from django.forms import Media
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

    MixinBase = admin.ModelAdmin[Any]
else:  # A mixin at run time.
    MixinBase = object

__all__ = ["RelatedEmailsMixin", "RelatedObject", "objects_of"]

MOST_EMAILS = 20


class RelatedEmailsMixin(MixinBase):
    """Shows the e-mails about an object on its change page, to those who may see e-mails.

        @admin.register(Order)
        class OrderAdmin(RelatedEmailsMixin, admin.ModelAdmin):
            pass

    The newest 20 are listed, below all other fields, and a link leads to all. Name it before `ModelAdmin`.
    """

    @property
    def media(self) -> Media:
        """Return the colours beside what the admin needs itself."""
        return super().media + STYLES

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields with the list of e-mails after them."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not _may_see_emails(request):
            return fieldsets
        shown = {"fields": ("related_emails",), "classes": ("poststack-related",)}
        return [*fieldsets, (_("E-mails"), shown)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields that are shown only, the list of e-mails among them."""
        return [*super().get_readonly_fields(request, obj), "related_emails"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields that are no list of e-mails, which has a place of its own."""
        return [name for name in super().get_fields(request, obj) if name != "related_emails"]

    @admin.display(description=_("E-mails"))
    def related_emails(self, instance: Model) -> SafeString:
        """Return the list."""
        found = list(emails_about(instance)[: MOST_EMAILS + 1])
        about = {"relations__model": model_label(instance), "relations__object_id": str(instance.pk)}
        site = self.admin_site.name
        rows = [
            (email, reverse("admin:poststack_sentemail_change", args=[email.pk], current_app=site))
            for email in found[:MOST_EMAILS]
        ]
        everything = reverse("admin:poststack_sentemail_changelist", current_app=site) + "?" + urlencode(about)
        context = {"rows": rows, "everything": everything, "has_more": len(found) > MOST_EMAILS}
        return render_to_string("poststack_django/admin/related_emails.html", context)


class RelatedObject(NamedTuple):
    """An object that an e-mail is about, as far as somebody may see it."""

    kind: str
    text: str
    address: str = ""
    """Its page in the admin; empty where there is none, or none for this person."""


def objects_of(email: SentEmail, site: admin.AdminSite, request: HttpRequest) -> list[RelatedObject]:
    """Return what an e-mail is about: names and links where the person may see the object, else its number."""
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for relation in email.relations.all():
        ids[relation.model].append(relation.object_id)
    return [one for model, object_ids in ids.items() for one in _objects(model, object_ids, site, request)]


def _objects(label: str, object_ids: list[str], site: admin.AdminSite, request: HttpRequest) -> list[RelatedObject]:
    try:
        model: type[Model] = apps.get_model(label)
    except (LookupError, ValueError):
        return [RelatedObject(label, object_id) for object_id in object_ids]
    kind = str(model._meta.verbose_name)
    may_see = site.is_registered(model) and site.get_model_admin(model).has_view_permission(request)
    if not may_see:
        return [RelatedObject(kind, object_id) for object_id in object_ids]
    # One query for each model; an id that the model no longer understands is that of no object.
    found = {str(one.pk): one for one in model._default_manager.filter(pk__in=_keys(model, object_ids))}
    return [_seen(kind, object_id, found.get(object_id), site) for object_id in object_ids]


def _seen(kind: str, object_id: str, one: Model | None, site: admin.AdminSite) -> RelatedObject:
    if one is None:
        return RelatedObject(kind, str(_("%(id)s (deleted)") % {"id": object_id}))
    name = f"admin:{one._meta.app_label}_{one._meta.model_name}_change"
    try:
        return RelatedObject(kind, str(one), reverse(name, args=[one.pk], current_app=site.name))
    except NoReverseMatch:  # The admin of this model has pages of its own.
        return RelatedObject(kind, str(one))


def _keys(model: type[Model], object_ids: list[str]) -> list[object]:
    keys: list[object] = []
    for object_id in object_ids:
        try:
            keys.append(model._meta.pk.to_python(object_id))
        except (ValidationError, ValueError):
            continue
    return keys


def _may_see_emails(request: HttpRequest) -> bool:
    return has_permission(request, "view_sentemail") or has_permission(request, "change_sentemail")
