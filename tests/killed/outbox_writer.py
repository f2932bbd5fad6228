"""Commits e-mails and rolls others back, each in a transaction of its own: `FIRST LAST`.

Every sixth transaction is rolled back. Prints the number of each that has committed, once it has.
"""

from __future__ import annotations

import sys

import django


class RolledBackError(Exception):
    """Something that goes wrong after an e-mail was handed over."""


def main(first: int, last: int) -> None:
    django.setup()
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
        print(number, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
