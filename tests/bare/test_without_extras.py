"""What works without any extra, and what is said when one is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run_without(*absent: str, program: str) -> subprocess.CompletedProcess[str]:
    # None in sys.modules makes an import fail as if the package were not installed.
    hidden = f"import sys; sys.modules.update(dict.fromkeys({absent!r}))\n"
    return subprocess.run([sys.executable, "-c", hidden + program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("package", "dependency", "extra"),
    [
        ("poststack_django", "django", "django"),
        ("poststack_flask", "flask", "flask"),
        ("poststack_fastapi", "starlette", "fastapi"),
    ],
)
def test_a_missing_framework_names_the_extra(package: str, dependency: str, extra: str) -> None:
    done = run_without(dependency, program=f"import {package}")

    assert done.returncode == 1
    assert f"ImportError: {package} needs " in done.stderr
    assert f'pip install "poststack[{extra}]"' in done.stderr


@pytest.mark.parametrize("dependency", ["starlette", "uvicorn", "jinja2"])
def test_the_emulator_names_its_extra_in_one_line(dependency: str) -> None:
    done = run_without(
        dependency,
        program="sys.argv = ['poststack', 'emulator', '--port', '0']\nfrom poststack.cli import main\nsys.exit(main())",
    )

    assert done.returncode == 2
    assert 'pip install "poststack[emulator]"' in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_client_and_the_task_policy_need_nothing() -> None:
    done = run_without(
        "django", "flask", "fastapi", "starlette", "uvicorn", "jinja2", "celery", "rq", "aiohttp", "email_validator",
        program="import poststack, poststack_tasks; print(poststack.PostStack('sk_test_x').emails)",
    )  # fmt: skip

    assert "Emails object" in done.stdout, done.stderr
