"""Makes the tables, then answers: one expression a line, its value as JSON a line.

Its names are those of the models, and `commit(first, last)`, which commits e-mails as `outbox_writer` does and returns
their numbers.

A process of its own, like everything that uses the database, and one for all questions: starting Django for each of
them took longer than what was asked about.
"""

from __future__ import annotations

import json
import sys

import django


def main() -> None:
    django.setup()
    from django.core.management import call_command

    from poststack_django import models
    from tests.killed.outbox_writer import committed

    def commit(first: int, last: int) -> list[int]:
        return list(committed(first, last))

    call_command("migrate", verbosity=0)
    for line in sys.stdin:
        print(json.dumps(eval(line, {**vars(models), "commit": commit})), flush=True)


if __name__ == "__main__":
    main()
