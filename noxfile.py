"""The matrix: every Python that is present, every Django that it allows, and no extra at all.

The checks of one environment are in the Makefile; this file is for what needs many.
"""

from __future__ import annotations

import os

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True
nox.options.download_python = "never"
nox.needs_version = ">=2025.2"

# Each of the many processes that the tests start would otherwise compile whatever it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["UV_COMPILE_BYTECODE"] = "1"

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
# The session `tests` has the newest Django of each Python: 5.2 on 3.10 and 3.11, 6.1 from 3.12 on. Here is the rest,
# without Pythons in the middle: what a Django does differently there would have shown on the oldest or the newest.
DJANGOS = {"5.2": ["3.13", "3.14"], "6.0": ["3.12", "3.14"]}
# `make test` has the services with Django 5.2 already.
DJANGO_TESTS = {"5.2": "not services and "}
# Pythons between the oldest and the newest run what meets the interpreter: connections, threads, loops, frameworks.
# Most others do with values what they do on the oldest and the newest; Django is tested with 6.0 there, see above.
MIDDLE_PYTHONS = ["3.11", "3.12"]
NOT_IN_THE_MIDDLE = ["emulator", "mime", "providers", "sending_many", "with_django"]
TEST_TOOLS = nox.project.dependency_groups(PYPROJECT, "test")
ARQ_TOOLS = nox.project.dependency_groups(PYPROJECT, "test-arq")
OLDEST_TOOLS = nox.project.dependency_groups(PYPROJECT, "test-oldest")
BARE_TOOLS = nox.project.dependency_groups(PYPROJECT, "test-bare")


@nox.session(python=["3.10", "3.13"])
def bare(session: nox.Session) -> None:
    """No extra installed: the client works, nothing else is pulled in, and what is missing is named."""
    session.install(".", *BARE_TOOLS)
    # Nothing that talks to a service is installed, so none can be demanded: the other sessions do that.
    env = {"POSTSTACK_REQUIRE_SERVICES": ""}
    chosen = ["tests/bare", "tests/core", "tests/transports", "-m", "not repetitive"]
    session.run("python", "-m", "pytest", *chosen, *session.posargs, env=env)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All extras, the newest of everything.

    Browsers, servers, whole programs and endless repetition are left to `make test`: what they add is not Python's to
    decide, and it is most of the time.
    """
    session.install("-e", ".[all]", *TEST_TOOLS)
    chosen = "not browser and not slow and not services and not repetitive"
    left_out = NOT_IN_THE_MIDDLE if session.python in MIDDLE_PYTHONS else []
    ignored = [f"--ignore=tests/{folder}" for folder in left_out]
    session.run("python", "-m", "pytest", "-m", chosen, *ignored, *session.posargs)


@nox.session
@nox.parametrize(("python", "django"), [(python, django) for django, pythons in DJANGOS.items() for python in pythons])
def django(session: nox.Session, django: str) -> None:
    """Each Django on the Pythons where it is not the newest."""
    session.install("-e", ".[django,emulator]", f"django=={django}.*", *TEST_TOOLS)
    chosen = f"{DJANGO_TESTS.get(django, '')}not browser and not slow and not repetitive"
    session.run("python", "-m", "pytest", "tests/with_django", "-m", chosen, *session.posargs)


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """Run Celery and RQ in the oldest releases that are promised, on real brokers, and kill them."""
    # The redis-py of their time: RQ's SpawnWorker breaks with later ones until RQ 3.0, and later kombus refuse it.
    pinned = ["celery==5.4.*", "kombu==5.4.*", "rq==2.4.*", "redis<6"]
    session.install("-e", ".[celery,rq,emulator]", *pinned, *OLDEST_TOOLS)
    chosen = [f"tests/with_tasks/{folder}" for folder in ("celery", "rq", "kills")]
    session.run("python", "-m", "pytest", *chosen, *session.posargs)


@nox.session(python=["3.10", "3.13"])
def arq(session: nox.Session) -> None:
    """Queues whose redis-py is older than that of the others: arq and SAQ."""
    session.install("-e", ".[arq,emulator]", *ARQ_TOOLS)
    chosen = ["tests/with_tasks", "tests/test_docs.py", "-k", "arq or saq"]
    session.run("python", "-m", "pytest", *chosen, *session.posargs)
