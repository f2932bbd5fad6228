"""What an e-mail said, where that is stored: its HTML in a frame that can do nothing, its text, its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _

from poststack_django.admin.common import LISTED_BREADCRUMBS, has_permission
from poststack_django.models import SentEmail
from poststack_django.preview import FRAME_HEADERS, document, files_of, has_remote_content
from poststack_django.stored import stored_payload

if TYPE_CHECKING:
    from django.urls import URLPattern

    from poststack.types import SendEmail

    PagesBase = admin.ModelAdmin[SentEmail]
else:  # A mixin at run time.
    PagesBase = object

__all__ = ["ContentPages"]


class ContentPages(PagesBase):
    """The pages that show content, for the admin of e-mails. They need a permission of their own."""

    def has_view_content_permission(self, request: HttpRequest) -> bool:
        """Return whether contents may be read."""
        return has_permission(request, "view_content_sentemail")

    def get_urls(self) -> list[URLPattern]:
        """Add the page and what its frame shows."""
        view = self.admin_site.admin_view
        pages = [
            path("<path:object_id>/content/", view(self._content), name="poststack_sentemail_content"),
            path("<path:object_id>/content/frame/", view(self._frame), name="poststack_sentemail_frame"),
        ]
        return [*pages, *super().get_urls()]

    def _content(self, request: HttpRequest, object_id: str) -> HttpResponse:
        email, payload = self._permitted(request, object_id)
        html = payload.get("html", "")
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": _("Content"),
            "subtitle": email.subject or None,
            "email": email,
            "has_html": bool(html),
            "has_remote_content": has_remote_content(html),
            "text": payload.get("text", ""),
            "files": files_of(payload),
            "template_id": payload.get("template_id", ""),
            "frame": reverse("admin:poststack_sentemail_frame", args=[email.pk], current_app=self.admin_site.name),
            "listed_breadcrumbs": LISTED_BREADCRUMBS,
            "opts": self.opts,
            "media": self.media,
        }
        vars(request)["current_app"] = self.admin_site.name
        return self._read_only(request, TemplateResponse(request, "poststack_django/admin/content.html", context))

    def _frame(self, request: HttpRequest, object_id: str) -> HttpResponse:
        _email, payload = self._permitted(request, object_id)
        shown = document(payload.get("html", ""), payload.get("attachments", []))
        response = HttpResponse(shown, content_type="text/html; charset=utf-8", headers=dict(FRAME_HEADERS))
        return self._read_only(request, response)

    def _permitted(self, request: HttpRequest, object_id: str) -> tuple[SentEmail, SendEmail]:
        email = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, email) or not self.has_view_content_permission(request):
            raise PermissionDenied
        payload = None if email is None else stored_payload(email)
        if email is None or payload is None:
            raise Http404
        return email, payload

    def _read_only(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        return response if request.method in {"GET", "HEAD"} else HttpResponseNotAllowed(["GET", "HEAD"])
