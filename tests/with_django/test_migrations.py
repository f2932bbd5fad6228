"""The migrations are those of the models, on every Django, and run on every database."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from tests.with_django.databases import KINDS, Kind, database_settings, run_python


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "poststack", check=True, dry_run=True, verbosity=0)


@pytest.mark.services
@pytest.mark.parametrize("kind", KINDS)
def test_the_migrations_of_a_whole_project_run_there_and_back(kind: Kind) -> None:
    with database_settings(kind) as databases:
        for command in (
            ["migrate"],
            ["makemigrations", "--check", "--dry-run"],
            ["migrate", "--check"],
            ["migrate", "poststack", "zero"],
            ["migrate", "poststack"],
        ):
            run = run_python(databases, "-m", "django", *command)
            assert run.returncode == 0, run.stderr
