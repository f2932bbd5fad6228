"""Commits e-mails and rolls others back, each in a transaction of its own: `FIRST LAST`.

Every sixth transaction is rolled back. Prints the number of each that has committed, once it has.
"""

from __future__ import annotations

import sys
from collections.abc import Generator

import django


class RolledBackError(Exception):
    """Something that goes wrong after an e-mail was handed over."""


def committed(first: int, last: int) -> Generator[int]:
    """Yield the number of each that has committed, once it has. Django must be set up."""
    from django.core.mail import EmailMessage
    from django.db import transaction

    for number in range(first, last):
        doomed = number % 6 == 5
        name = "rolled-back" if doomed else "committed"
        try:
            with transaction.atomic():
                EmailMessage("Receipt", "Thank you.", None, [f"{name}-{number}@killed.example"]).send()
                if doomed:
                    raise RolledBackError
        except RolledBackError:
            continue
        yield number


if __name__ == "__main__":
    django.setup()
    for committed_number in committed(int(sys.argv[1]), int(sys.argv[2])):
        print(committed_number, flush=True)
