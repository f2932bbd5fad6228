"""Whether a report about an error can become a second error."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks, mail
from django.utils.log import AdminEmailHandler

from poststack_django.checks.mailers import own_mailers

__all__ = ["check_reports"]


def check_reports(**_: Any) -> list[checks.CheckMessage]:
    """Check that the mailer of reports to `ADMINS` is silent: under `MAILERS` Django no longer asks it to be."""
    if not settings.ADMINS or not hasattr(mail, "mailers") or not hasattr(settings, "MAILERS"):
        return []
    aliases = {str(getattr(handler, "using", None) or "default") for handler in _handlers()}
    return [
        checks.Warning(
            "Reports to ADMINS are sent by this mailer, and when that fails it raises out of logger.error().",
            hint="Add a mailer 'admin' to MAILERS with the BACKEND 'poststack_django.backends.EmailBackend' and "
            "'OPTIONS': {'fail_silently': True}, and give AdminEmailHandler 'using': 'admin' in LOGGING.",
            obj=mailer.name,
            id="poststack.W006",
        )
        for mailer in own_mailers()
        # The outbox is never silent about a database that fails, and that is what a report may be about.
        if mailer.alias in aliases and (mailer.uses_outbox or mailer.options.get("fail_silently") is not True)
    ]


def _handlers() -> Iterator[AdminEmailHandler]:
    """Yield those that loggers have now, however LOGGING came to be; not those that send in a way of their own."""
    known = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    for logger in (logging.root, *known):
        for handler in logger.handlers:
            if isinstance(handler, AdminEmailHandler) and type(handler).send_mail is AdminEmailHandler.send_mail:
                yield handler
