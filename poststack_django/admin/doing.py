"""Refresh, cancel, resend: from the list and from the page of one e-mail, after a question, each with its permission.

Only POST does anything. GET shows the question.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from poststack import OutcomeUnknownError, PostStackError
from poststack_django import actions
from poststack_django.admin.common import badge, has_permission
from poststack_django.admin.question import Row, is_confirmed, question
from poststack_django.models import EmailContent, SentEmail
from poststack_django.status import UNDER_WAY

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.urls import URLPattern
    from django.utils.functional import Promise

    PagesBase = admin.ModelAdmin[SentEmail]
else:  # A mixin at run time.
    PagesBase = object

__all__ = ["MOST_AT_ONCE", "ActionPages", "explained"]

MOST_AT_ONCE: Final = 50
"""E-mails that one action takes from the list: each is a call to the API, and the browser waits for all."""

logger = logging.getLogger("poststack.django")


@dataclass(frozen=True)
class Doing:
    """One thing that can be done."""

    name: str
    function: Callable[[SentEmail], SentEmail]
    is_possible: Callable[[SentEmail], bool]
    button: Promise
    question: Promise
    explanation: Promise
    done: Promise
    """What the history of the admin says."""
    is_grave: bool = False


def _can_cancel(email: SentEmail) -> bool:
    if email.email_id is None:
        return email.next_attempt_at is not None
    return email.scheduled_at is not None and email.status in UNDER_WAY and not email.provider


def _can_resend(email: SentEmail) -> bool:
    waits = email.email_id is None and email.next_attempt_at is not None
    return not waits and EmailContent.objects.filter(pk=email.pk).exists()


DOINGS: Final = {
    doing.name: doing
    for doing in (
        Doing(
            "refresh",
            actions.refresh,
            lambda email: email.email_id is not None and not email.provider,
            gettext_lazy("Refresh"),
            gettext_lazy("Ask PostStack what became of this?"),
            gettext_lazy("Events that no webhook has brought are stored, and this project's receivers hear of them."),
            gettext_lazy("Refreshed."),
        ),
        Doing(
            "cancel",
            actions.cancel,
            _can_cancel,
            gettext_lazy("Cancel sending"),
            gettext_lazy("Cancel before it is sent?"),
            gettext_lazy("What is scheduled or waits in the outbox will not be sent. This cannot be undone."),
            gettext_lazy("Canceled."),
            is_grave=True,
        ),
        Doing(
            "resend",
            actions.resend,
            _can_resend,
            gettext_lazy("Send again"),
            gettext_lazy("Send again now?"),
            gettext_lazy(
                "Recipients of an e-mail that was accepted get it once more. One that was never confirmed is sent with "
                "its old key, so that nobody gets it twice."
            ),
            gettext_lazy("Sent again."),
        ),
    )
}


class ActionPages(PagesBase):
    """The pages that ask and do, for the admin of e-mails."""

    actions = ("refresh_selected", "cancel_selected", "resend_selected")

    def has_refresh_permission(self, request: HttpRequest) -> bool:
        """Return whether PostStack may be asked."""
        return has_permission(request, "refresh_sentemail")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Return whether e-mails may be canceled."""
        return has_permission(request, "cancel_sentemail")

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """Return whether e-mails may be sent again."""
        return has_permission(request, "resend_sentemail")

    @admin.action(permissions=["refresh"], description=gettext_lazy("Ask PostStack what became of them"))
    def refresh_selected(self, request: HttpRequest, queryset: QuerySet[SentEmail]) -> HttpResponse | None:
        """Refresh what is selected."""
        return self._several(request, queryset, DOINGS["refresh"])

    @admin.action(permissions=["cancel"], description=gettext_lazy("Cancel sending"))
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[SentEmail]) -> HttpResponse | None:
        """Cancel what is selected."""
        return self._several(request, queryset, DOINGS["cancel"])

    @admin.action(permissions=["resend"], description=gettext_lazy("Send again"))
    def resend_selected(self, request: HttpRequest, queryset: QuerySet[SentEmail]) -> HttpResponse | None:
        """Send what is selected again."""
        return self._several(request, queryset, DOINGS["resend"])

    def get_urls(self) -> list[URLPattern]:
        """Add a page for each thing that can be done to one e-mail."""
        pages = [
            path(
                f"<path:object_id>/{name}/",
                self.admin_site.admin_view(partial(self._one, name=name)),
                name=f"poststack_sentemail_{name}",
            )
            for name in DOINGS
        ]
        return [*pages, *super().get_urls()]

    def possible_actions(self, request: HttpRequest, email: SentEmail) -> list[tuple[str, str]]:
        """Return what this person can do to this e-mail: the address of each page and the words on its button."""
        return [
            (self._address(name, email), str(doing.button))
            for name, doing in DOINGS.items()
            if has_permission(request, f"{name}_sentemail") and doing.is_possible(email)
        ]

    def _one(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        doing = DOINGS[name]
        email = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, email) or not has_permission(request, f"{name}_sentemail"):
            raise PermissionDenied
        if email is None:
            raise Http404
        page = self._address("change", email)
        if request.method != "POST":
            return self._question(request, doing, [email], back=page)
        outcome = self._do(request, [email], doing)
        return HttpResponseRedirect(page if outcome is None else self._address("change", outcome))

    def _several(self, request: HttpRequest, queryset: QuerySet[SentEmail], doing: Doing) -> HttpResponse | None:
        # One more than may be: counting them all could take long.
        emails = list(queryset[: MOST_AT_ONCE + 1])
        if len(emails) > MOST_AT_ONCE:
            text = _("Select at most %(most)d e-mails at a time. For more, there is manage.py poststack_reconcile.")
            self.message_user(request, text % {"most": MOST_AT_ONCE}, messages.ERROR)
            return None
        if not is_confirmed(request):
            return self._question(request, doing, emails, back=request.get_full_path(), several=True)
        self._do(request, emails, doing)
        return None

    def _question(
        self, request: HttpRequest, doing: Doing, emails: list[SentEmail], *, back: str, several: bool = False
    ) -> HttpResponse:
        rows = [
            Row(
                email.pk,
                email.subject or _("(no subject)"),
                badge(email.status, email.get_status_display()),
                ", ".join(email.to),
            )
            for email in emails
        ]
        return question(
            self,
            request,
            rows,
            title=doing.question,
            explanation=doing.explanation,
            button=doing.button,
            back=back,
            action=f"{doing.name}_selected" if several else "",
            email=None if several else emails[0],
            is_grave=doing.is_grave,
        )

    def _do(self, request: HttpRequest, emails: Iterable[SentEmail], doing: Doing) -> SentEmail | None:
        """Do it to each, and say what came of it. Returns the last that it was done to."""
        done: list[SentEmail] = []
        failures: Counter[str] = Counter()
        for email in emails:
            try:
                done.append(doing.function(email))
            except (PostStackError, ValueError, ImproperlyConfigured) as error:
                failures[explained(error)] += 1
                logger.warning("%s of e-mail row %s failed with %s.", doing.name, email.pk, type(error).__name__)
                if isinstance(error, PostStackError) and error.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                    break
            else:
                self.log_change(request, email, str(doing.done))
        if done:
            self.message_user(request, _done_text(doing.name, done), messages.SUCCESS)
        for text, count in failures.items():
            some = ngettext("%(count)d e-mail: %(text)s", "%(count)d e-mails: %(text)s", count)
            self.message_user(request, some % {"count": count, "text": text}, messages.ERROR)
        return done[-1] if done else None

    def _address(self, page: str, email: SentEmail) -> str:
        return reverse(f"admin:poststack_sentemail_{page}", args=[email.pk], current_app=self.admin_site.name)


def explained(error: Exception) -> str:
    """Return an error as people can use it. What the API says itself is left out: it may name addresses."""
    if not isinstance(error, PostStackError):
        return str(error)
    if isinstance(error, OutcomeUnknownError):
        return _("It may have been sent, and the provider cannot tell a repetition. Look for it there.")
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _("PostStack does not have it, or no longer.")
    if error.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        text = _("PostStack takes no more at the moment; nothing more was tried. Try again in %(seconds)s seconds.")
    elif error.status_code == 0:
        text = _("PostStack did not answer. Try again later.")
    elif error.transient:
        text = _("PostStack failed with status %(status)d, request %(request)s. Try again later.")
    else:
        text = _("PostStack refused: status %(status)d, code %(code)s, request %(request)s.")
    return text % {
        "status": error.status_code,
        "code": error.code or "-",
        "request": error.request_id or "-",
        "seconds": round(error.retry_after or 60),
    }


def _done_text(name: str, done: list[SentEmail]) -> str:
    count = len(done)
    if name == "refresh":
        if count == 1:
            return _("PostStack was asked. Status: %(status)s.") % {"status": done[0].get_status_display()}
        return _("PostStack was asked about %(count)d e-mails.") % {"count": count}
    if name == "cancel":
        return ngettext("Canceled.", "%(count)d e-mails canceled.", count) % {"count": count}
    return ngettext("Sent again.", "%(count)d e-mails sent again.", count) % {"count": count}
