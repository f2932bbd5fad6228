"""A process of the project that does what it is told: a line of JSON with a function's name and arguments, a line back.

One process for all that a test asks, for starting Django takes longer than most of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import django

TEXT = "zebra-in-the-text"
SUBJECT = "zebra-in-the-subject"


def address(name: str) -> str:
    """Return the address that the e-mail with this name goes to, and no other one."""
    return f"{name.replace(' ', '.')}@example.com"


def migrate() -> None:
    import_module("django.core.management").call_command("migrate", verbosity=0)


def commit(*names: str, rolled_back: bool = False) -> None:
    """Put an e-mail for each name into the outbox, each in a transaction of its own."""
    from django.core.mail import EmailMessage
    from django.db import transaction

    for name in names:
        with transaction.atomic():
            message = EmailMessage(SUBJECT, TEXT, None, [address(name)])
            vars(message)["idempotency_key"] = name
            message.send()
            transaction.set_rollback(rolled_back)


def rows() -> dict[str, dict[str, Any]]:
    """Return what is stored of each e-mail, by its idempotency key."""
    from poststack_django.models import SentEmail

    return {
        row.idempotency_key: {
            "pk": row.pk, "status": row.status, "id": row.email_id, "attempts": row.attempts, "error": row.error,
            "recipients": {one.address: one.status for one in row.recipients.all()},
        }
        for row in SentEmail.objects.prefetch_related("recipients")
    }  # fmt: skip


def drain_by_command() -> None:
    import_module("django.core.management").call_command("poststack_outbox", once=True, verbosity=0)


def drain_by_queue() -> None:
    """Enqueue what a project would run periodically."""
    from django.conf import settings

    if settings.CHOSEN["queue"] == "celery":
        import_module("poststack_django.outbox.by_celery").drain.delay()
    else:
        _rq_queue().enqueue("poststack_django.outbox.drain")


def enqueue(name: str, *others: str) -> None:
    """Enqueue a job for an e-mail, to these addresses as well, with the name as its key."""
    from django.conf import settings

    email = {"from": "shop@example.com", "to": [address(name), *others], "subject": SUBJECT, "text": TEXT}
    if settings.CHOSEN["queue"] == "celery":
        import_module("poststack_tasks.celery").send_email.delay(email, idempotency_key=name)
    else:
        import_module("poststack_tasks.rq").enqueue(_rq_queue(), email, idempotency_key=name)


def suppress(address: str) -> None:
    from poststack_django.models import Suppression

    Suppression.objects.create(address=address)


def webhook(email_id: str, recipient: str) -> list[Any]:
    """Have the project receive that it was delivered; return the answer's status and what is stored of the event."""
    from django.test import Client

    from poststack_django.models import EmailEvent
    from tests.with_django.api import event_body, signed

    body = event_body("email.delivered", email_id, recipient=recipient)
    answer = Client().post("/webhooks/poststack/", body, "application/json", headers=signed(body))
    return [answer.status_code, *EmailEvent.objects.filter(email_id=email_id).values_list("state", flat=True)]


def on_commit(task: str, case: str) -> list[Any]:
    """Enqueue by `delay_on_commit` in one of several cases; return whether the project's own row was stored, what the
    caller was told, and which callbacks of the same transaction ran."""
    from django.db import transaction

    from poststack_django.models import SentEmail

    told, ran = "nothing", list[str]()
    before = SentEmail.objects.count()

    def enqueue() -> None:
        if task == "plain":
            import_module("tests.with_django.queues.project.celery_app").plain.delay_on_commit(1)
            return
        payload = {"from": "shop@example.com", "to": [address(case)], "subject": SUBJECT, "text": TEXT}
        import_module("poststack_tasks.celery").send_email.delay_on_commit(payload, idempotency_key=case)

    def work() -> None:
        SentEmail.objects.create(idempotency_key=f"{task} {case}", from_email="shop@example.com")
        transaction.on_commit(lambda: ran.append("before"))
        if case == "inner rolled back":
            with transaction.atomic():
                enqueue()
                transaction.set_rollback(True)
        elif case == "inner":
            with transaction.atomic():
                enqueue()
        else:
            enqueue()
        transaction.on_commit(lambda: ran.append("after"))
        transaction.set_rollback(case == "rolled back")

    try:
        if case == "no transaction":
            SentEmail.objects.create(idempotency_key=f"{task} {case}", from_email="shop@example.com")
            enqueue()
        else:
            with transaction.atomic():
                work()
    except Exception as error:
        told = type(error).__name__
    return [SentEmail.objects.count() - before, told, ran]


def refused_before_the_commit() -> list[Any]:
    """Enqueue what is no e-mail, and go on in the same transaction: return what was told, where, and what is stored."""
    from django.db import transaction

    from poststack_django.models import SentEmail
    from poststack_tasks import JobError

    send_email: Any = import_module("poststack_tasks.celery").send_email
    told: list[Any] = []
    for undone in (True, False):
        with transaction.atomic():
            SentEmail.objects.create(idempotency_key=f"undone {undone}", from_email="shop@example.com")
            for wrong in ({"from": "shop@example.com"}, {"to": ["ada@example.com"]}):
                for enqueue, arguments in (
                    (send_email.delay_on_commit, (wrong,)),
                    (send_email.apply_async_on_commit, ((wrong,),)),
                ):
                    try:
                        enqueue(*arguments)
                    except JobError:
                        told.append(transaction.get_connection().in_atomic_block)
            transaction.set_rollback(undone)
    return [told, list(SentEmail.objects.filter(idempotency_key__startswith="undone").values_list("idempotency_key"))]


def _rq_queue() -> Any:
    return import_module("tests.with_django.queues.project.rq_queue").mail()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        migrate, commit, rows, drain_by_command, drain_by_queue, enqueue, suppress, webhook, on_commit,
        refused_before_the_commit,
    )
}  # fmt: skip


def main() -> None:
    django.setup()
    for line in sys.stdin:
        name, arguments, options = json.loads(line)
        print(json.dumps(FUNCTIONS[name](*arguments, **options)), flush=True)


if __name__ == "__main__":
    main()
