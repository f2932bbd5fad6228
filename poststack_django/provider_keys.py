"""Idempotency keys in the project's own database, for providers that know none.

    PROVIDER_OPTIONS = {"api_key": "…", "keys": DatabaseKeyStore()}    # which is what is used without saying so

A key is noted before its e-mail is sent, and for good when the provider has taken it. So an e-mail whose sending was
begun by a process that died is not sent by the next one: it may have been.

That holds only if the note is committed before the call. Where this package sends from a worker, of the outbox or of a
task queue, no transaction is open, and it is. A mailer that sends at once may be inside a transaction of the caller; it
makes one attempt for each e-mail, under a key that nobody else has, and needs no note.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from asgiref.sync import sync_to_async
from django.db import connections, router
from django.utils import timezone

from poststack.mailbridge import KeyClaim
from poststack_django.database import with_orm
from poststack_django.settings import get_settings

__all__ = ["DatabaseKeyStore", "is_in_transaction", "prune_keys"]

RETENTION: Final = timedelta(days=14)
"""Queues repeat their jobs for 13 days at most."""
_LONGEST_KEY: Final = 255
_TRIES: Final = 3


class DatabaseKeyStore:
    """Remembers in the table `ProviderKey`: for all processes that use the database, and over crashes.

    For `MailBridge(keys=…)` and `AsyncMailBridge(keys=…)`. In autocommit, a claim is committed when `begin` returns; in
    a transaction of yours it is undone by a rollback, although the e-mail may have left.
    """

    def begin(self, key: str, provider: str) -> KeyClaim:
        """Claim a key that nobody has claimed, atomically; else tell what is known of it."""
        return with_orm(lambda: _begin(_stored(key), provider))

    def finish(self, key: str, message_id: str | None) -> None:
        """Remember that the provider has accepted the e-mail."""
        with_orm(lambda: _finish(_stored(key), message_id or ""))

    def abandon(self, key: str) -> None:
        """Forget a claim: the provider certainly did not take the e-mail."""
        with_orm(lambda: _abandon(_stored(key)))

    async def abegin(self, key: str, provider: str) -> KeyClaim:
        """Claim a key that nobody has claimed, atomically; else tell what is known of it."""
        return await sync_to_async(self.begin)(key, provider)

    async def afinish(self, key: str, message_id: str | None) -> None:
        """Remember that the provider has accepted the e-mail."""
        await sync_to_async(self.finish)(key, message_id)

    async def aabandon(self, key: str) -> None:
        """Forget a claim: the provider certainly did not take the e-mail."""
        await sync_to_async(self.abandon)(key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatabaseKeyStore)

    def __hash__(self) -> int:
        return hash(DatabaseKeyStore)


def is_in_transaction() -> bool:
    """Return whether a claim would be undone by a rollback."""
    return connections[_alias()].in_atomic_block


def prune_keys() -> int:
    """Delete keys that nothing repeats any more; return how many."""
    from poststack_django.models import ProviderKey

    kept = max(RETENTION, timedelta(seconds=get_settings().outbox.horizon))
    old = ProviderKey.objects.using(_alias()).filter(begun_at__lt=timezone.now() - kept)
    return old.delete()[0]


def _begin(key: str, provider: str) -> KeyClaim:
    from poststack_django.models import ProviderKey
    from poststack_django.writing import inserted

    with _connection_of_this_call():
        for _ in range(_TRIES):
            # Inserted first, read after: of two at the same time, one is refused by the database.
            if inserted(ProviderKey(key=key, provider=provider), key=key) is not None:
                return KeyClaim("new", provider)
            known = ProviderKey.objects.using(_alias()).filter(key=key).first()
            if known is not None:
                return KeyClaim("done" if known.done else "in doubt", known.provider, known.message_id or None)
    raise RuntimeError("The key was claimed and given back by others, again and again.")


def _finish(key: str, message_id: str) -> None:
    from poststack_django.models import ProviderKey

    with _connection_of_this_call():
        ProviderKey.objects.using(_alias()).filter(key=key).update(done=True, message_id=message_id[:998])


def _abandon(key: str) -> None:
    from poststack_django.models import ProviderKey

    with _connection_of_this_call():
        ProviderKey.objects.using(_alias()).filter(key=key, done=False).delete()


@contextmanager
def _connection_of_this_call() -> Generator[None]:
    """Close the connection if nobody had opened it: in the threads of a MailBridge, nobody else would."""
    connection = connections[_alias()]
    was_open = connection.connection is not None
    try:
        yield
    finally:
        if not was_open:
            connection.close()


def _alias() -> str:
    from poststack_django.models import ProviderKey

    return router.db_for_write(ProviderKey)


def _stored(key: str) -> str:
    if len(key) <= _LONGEST_KEY and "\x00" not in key:
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
