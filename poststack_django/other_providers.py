"""What is different where a MailBridge sends, instead of PostStack's client. No models are imported.

PostStack minds idempotency keys, so everything may be repeated under the same key. Other providers do not: there a key
needs a store, and what may have been sent is not sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import ImproperlyConfigured

from poststack import OutcomeUnknownError, PostStackError
from poststack.mailbridge.configured import is_mailer, key_problem

if TYPE_CHECKING:
    from poststack.mailbridge import Mailer
    from poststack_django.outgoing import Outgoing

__all__ = ["certainly_not_sent", "fit_resent", "fit_to_client", "minds_keys", "provider_names", "refuse_repeating"]


def fit_to_client(one: Outgoing, client: object, *, repeats: bool) -> None:
    """Raise `ValueError` if the client's provider cannot say what an e-mail says; decide whether its key is sent.

    `repeats` says that the e-mail waits in a queue, whose workers may send it twice.
    """
    if not is_mailer(client):
        return
    if not repeats and not minds_keys(client):
        if one.key_is_new:
            one.without_key = True  # Made up for this one attempt: nobody repeats it.
        elif _claims_would_be_undone(client):
            raise ValueError(
                f"The e-mail has an idempotency key, and {provider_names(client)} minds none. In a transaction the "
                "note of it could be undone after the e-mail has left. Send it after the commit, by the outbox, "
                "or with a store outside of the database: PROVIDER_OPTIONS = {'keys': SqliteKeyStore(…)}."
            )
    _check(one, client)


def fit_resent(one: Outgoing, client: object) -> None:
    """Do the same for an e-mail that somebody sends again by hand, of which no attempt is in doubt."""
    if is_mailer(client):
        # Where there is a store, a second click finds the first one.
        one.without_key = not minds_keys(client) and cast("Mailer", client).keys is None
        _check(one, client)


def minds_keys(client: object) -> bool:
    """Return whether repeating an e-mail under the same key can never double it, however its first sending ended."""
    return not is_mailer(client) or cast("Mailer", client).minds_keys()


def provider_names(client: object) -> str:
    """Return who sends, for texts."""
    return " and ".join(cast("Mailer", client).providers) if is_mailer(client) else "PostStack"


def refuse_repeating(client: object) -> None:
    """Raise `ImproperlyConfigured` if an e-mail that a worker sends twice would arrive twice."""
    problem = key_problem(client)
    if problem is not None:
        raise ImproperlyConfigured(f"Nothing is sent from a queue: {problem}.")


def certainly_not_sent(error: PostStackError) -> bool:
    """Return whether the failure of a mailer, which knows, says that the provider has not taken the e-mail."""
    return not isinstance(error, OutcomeUnknownError) and not error.may_have_taken_effect


def _check(one: Outgoing, client: object) -> None:
    one.by_mailer = True
    emails: Any = cast("Mailer", client).emails
    emails.check(one.call)


def _claims_would_be_undone(client: object) -> bool:
    from poststack_django.provider_keys import DatabaseKeyStore, is_in_transaction

    return isinstance(cast("Mailer", client).keys, DatabaseKeyStore) and is_in_transaction()
