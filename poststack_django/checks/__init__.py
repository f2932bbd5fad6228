"""System checks: wrong settings are found by `manage.py check`, not by the first e-mail.

| id | what is wrong |
|---|---|
| `poststack.E001` | the setting `POSTSTACK` is wrong |
| `poststack.E002` | a mailer cannot be made: a wrong option |
| `poststack.E003` | a mailer uses the outbox, and its table is missing: the app is not installed, or `RECORD` is off |
| `poststack.E004` | rows are stored, and `USE_TZ` is off: times of events and of scheduled e-mails cannot be |
| `poststack.E005` | `OUTBOX` has `TASKS`, and what they need is not installed: Django Tasks, Celery or RQ |
| `poststack.E006` | the tasks of `OUTBOX` have nowhere to go: no such backend or queue, or no Celery application |
| `poststack.E007` | a mailer of `poststack_django.testing`: nothing is sent (with `--deploy`) |
| `poststack.E008` | the outbox is sent through a provider that minds no idempotency keys, without a store of them |
| `poststack.W001` | the webhook address is mounted, and no signing secret is configured: every call is refused |
| `poststack.W002` | a signing secret is so short that it can be guessed |
| `poststack.W003` | `MAILERS` is set, and this version of Django ignores it |
| `poststack.W004` | no API key. A warning: commands of a build, which has no secrets, must run |
| `poststack.W005` | settings ask for rows, and none are stored: the app is not installed, or `RECORD` is off |
| `poststack.W006` | reports to `ADMINS` raise out of the logger when their mailer fails |
| `poststack.W007` | the outbox's `LEASE` ends before a call must: two drainers may send the same e-mail |
| `poststack.W008` | `RETENTION_DAYS` is shorter than the outbox tries: e-mails are deleted while they wait |
| `poststack.W009` | `STORE_BODIES` without `RETENTION_DAYS`: every password reset link is kept for ever |
| `poststack.W010` | the staging guard is on, so most recipients get nothing (with `--deploy`) |
| `poststack.I001` | an option has two sources, of which one has no effect |
| `poststack.I002` | the outbox is on SQLite, which lets one process write at a time (with `--deploy`) |

None of them asks the network or the database. They run by themselves when the app is installed; a project without it
may call `register_all()` from the `ready` method of an app of its own.
"""

from __future__ import annotations

from django.core import checks

from poststack_django.checks.configuration import check_mailers, check_settings
from poststack_django.checks.deployment import check_deployment
from poststack_django.checks.outbox import check_outbox
from poststack_django.checks.reports import check_reports
from poststack_django.checks.storage import check_storage
from poststack_django.checks.webhooks import check_webhooks

__all__ = [
    "check_deployment",
    "check_mailers",
    "check_outbox",
    "check_reports",
    "check_settings",
    "check_storage",
    "check_webhooks",
    "register_all",
]


def register_all() -> None:
    """Register every check. The tags are texts: Django 5.2 and 6.0 have no constant for mail."""
    for check in (check_settings, check_mailers, check_storage, check_outbox, check_reports):
        checks.register(check, "mail")
    checks.register(check_webhooks, checks.Tags.security)
    checks.register(check_deployment, "mail", deploy=True)
