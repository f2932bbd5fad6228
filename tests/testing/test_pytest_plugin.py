"""The pytest plugin: there by itself, cheap, and fresh for every test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio

from poststack import AsyncPostStack, PostStack
from poststack.testing import EmulatorSession
from tests.inner_pytest import WITHOUT_OTHER_PLUGINS

TESTS = """
import pytest

EMAIL = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}

@pytest.mark.parametrize("again", [1, 2])
def test_each_starts_empty(poststack_emulator, poststack_client, again):
    poststack_client.emails.send(EMAIL)
    assert len(poststack_emulator.sent) == 1
"""


def test_both_clients_share_the_emulator_of_the_test(
    poststack_emulator: EmulatorSession, poststack_client: PostStack, async_poststack_client: AsyncPostStack
) -> None:
    async def send() -> None:
        await async_poststack_client.emails.send(
            {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}
        )

    anyio.run(send)

    assert poststack_client.emails.list()["meta"]["total"] == 1
    assert len(poststack_emulator.sent) == 1


def test_the_plugin_works_in_a_project_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_mail.py").write_text(TESTS)
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", *WITHOUT_OTHER_PLUGINS, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_loading_the_plugin_loads_nothing_else() -> None:
    program = (
        "import sys, poststack.testing.pytest_plugin\n"
        "print([name for name in ('httpx', 'httpcore', 'starlette', 'email_validator', 'poststack.emulator')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_missing_email_validator_names_the_extra() -> None:
    program = "import sys\nsys.modules['email_validator'] = None\nfrom poststack.testing import emulator"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert 'pip install "poststack[emulator]"' in done.stderr.splitlines()[-1]


def test_there_are_no_other_names() -> None:
    import poststack.testing

    assert all(hasattr(poststack.testing, name) for name in poststack.testing.__all__)
    assert not hasattr(poststack.testing, "unknown")
