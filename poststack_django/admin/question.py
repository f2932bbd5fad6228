"""The page that asks before something is done. The POST that it sends does it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.template.response import TemplateResponse

from poststack_django.admin.common import LISTED_BREADCRUMBS

if TYPE_CHECKING:
    from django.contrib import admin
    from django.http import HttpRequest, HttpResponse
    from django.utils.functional import Promise
    from django.utils.safestring import SafeString

    from poststack_django.models import SentEmail

__all__ = ["Row", "is_confirmed", "question"]


class Row(NamedTuple):
    """Something that it would be done to."""

    pk: int
    title: str
    badge: SafeString
    detail: str


def question(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    rows: Iterable[Row],
    *,
    title: Promise,
    explanation: Promise,
    button: Promise,
    back: str,
    action: str = "",
    email: SentEmail | None = None,
    is_grave: bool = False,
) -> HttpResponse:
    """Return the page. `action` names the action of the list that is to be confirmed, if it is one."""
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "subtitle": None,
        "explanation": explanation,
        "button": button,
        "is_grave": is_grave,
        "rows": rows,
        "email": email,
        "back": back,
        "action": action,
        "checkbox": ACTION_CHECKBOX_NAME,
        "listed_breadcrumbs": LISTED_BREADCRUMBS,
        "opts": model_admin.opts,
        "media": model_admin.media,
    }
    vars(request)["current_app"] = model_admin.admin_site.name
    return TemplateResponse(request, "poststack_django/admin/question.html", context)


def is_confirmed(request: HttpRequest) -> bool:
    """Return whether the question has been answered with yes."""
    return request.POST.get("confirmed") == "yes"
