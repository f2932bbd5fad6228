"""The change of a domain's DKIM key: idle, pending_dns, ready, retiring, and idle again. No I/O, no clock.

The old key signs until the new one's record is seen in the DNS and had time to spread; then the old record stays for
mail that is on its way. No step is taken without the record.
"""

from __future__ import annotations

from poststack.emulator.account.domains import Domain, Rotation

__all__ = ["DnsUnreadableError", "RotationError", "activate", "cancel", "run", "start"]

SPREADING = 3_600.0
"""From the first sight of a new record to the change of keys, in seconds."""

RETIREMENT = 7 * 86_400.0
"""From the change of keys to the end of the old record, in seconds."""

_PURPOSE = "dkim_rotation"


class RotationError(Exception):
    """The rotation is not in a state in which this can be done."""


class DnsUnreadableError(Exception):
    """The DNS cannot be read, so that nothing is known about a record."""


def start(domain: Domain, key: str, now: float, look_at: float) -> None:
    """Stage a new key, whose record is looked for at `look_at`. Raises `RotationError` while one is under way."""
    if domain.rotation.state != "idle":
        raise RotationError("A rotation of the DKIM key is under way. Activate or cancel it, or let it end, first.")
    domain.dkim_keys += 1
    _forget_record(domain)
    domain.rotation = Rotation("pending_dns", f"poststack{domain.dkim_keys}", key, started_at=now, look_at=look_at)


def activate(domain: Domain, now: float, *, force: bool) -> None:
    """Sign with the new key from now on; `force` does without the time for its record to spread.

    Raises `RotationError` while the DNS does not have the record, or has not had it for long enough, and
    `DnsUnreadableError`.
    """
    rotation = domain.rotation
    if rotation.state not in {"pending_dns", "ready"}:
        raise RotationError("There is no new DKIM key to activate. Start a rotation first.")
    if not domain.dns_readable:
        raise DnsUnreadableError("The DNS of the domain cannot be read. Nothing was changed; try again later.")
    if not domain.published(_PURPOSE):
        raise RotationError("The DNS does not have the new key's record yet. Publish pendingRecordName first.")
    _see(domain, now)
    if not force and rotation.activates_after is not None and now < rotation.activates_after:
        raise RotationError("The new key's record has not spread yet. Wait until activatesAfter, or force it.")
    _change_keys(domain, now)


def cancel(domain: Domain) -> None:
    """Drop the new key. Raises `RotationError` when there is none, or when it signs already."""
    if domain.rotation.state not in {"pending_dns", "ready"}:
        raise RotationError("There is no new DKIM key that does not sign yet, so nothing can be cancelled.")
    _forget_record(domain)
    domain.rotation = Rotation()


def run(domain: Domain, now: float) -> None:
    """Let happen what is due: a look at the DNS, the change of keys, the end of the old one."""
    rotation = domain.rotation
    if rotation.due is None or rotation.due > now:
        return
    if rotation.state == "retiring":
        _forget_record(domain)
        domain.rotation = Rotation()
        return
    rotation.look_at = None
    if domain.dns_readable and domain.published(_PURPOSE):
        if rotation.state == "ready":
            _change_keys(domain, now)
        else:
            _see(domain, now)
    else:
        # Without the record there is no change, however long it was there before.
        rotation.state, rotation.published_at, rotation.activates_after = "pending_dns", None, None
        _forget_record(domain)


def _see(domain: Domain, now: float) -> None:
    rotation = domain.rotation
    if rotation.state == "pending_dns":
        rotation.state, rotation.look_at = "ready", None
        rotation.published_at, rotation.activates_after = now, now + SPREADING
        domain.seen.append(_PURPOSE)


def _change_keys(domain: Domain, now: float) -> None:
    rotation = domain.rotation
    if rotation.selector is None or rotation.key is None:
        raise RotationError("There is no new DKIM key.")
    domain.rotation = Rotation(
        "retiring",
        started_at=rotation.started_at,
        published_at=rotation.published_at,
        retired_selector=domain.dkim_selector,
        retired_key=domain.dkim_key,
        retire_after=now + RETIREMENT,
    )
    domain.dkim_selector, domain.dkim_key = rotation.selector, rotation.key


def _forget_record(domain: Domain) -> None:
    domain.seen = [purpose for purpose in domain.seen if purpose != _PURPOSE]
