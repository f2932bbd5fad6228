"""The distribution as users get it."""

from __future__ import annotations

import subprocess
import sys
from email.parser import Parser
from pathlib import Path

import pytest

import poststack

pytestmark = pytest.mark.slow


def metadata(installed: Path) -> list[tuple[str, str]]:
    [file] = installed.glob("poststack-*.dist-info/METADATA")
    return Parser().parsestr(file.read_text("utf-8")).items()


def test_the_wheel_has_the_version_the_code_says(installed: Path) -> None:
    assert ("Version", poststack.__version__) in metadata(installed)


def test_only_httpx_comes_with_the_client(installed: Path) -> None:
    unconditional = {
        value.split(";")[0].strip()
        for name, value in metadata(installed)
        if name == "Requires-Dist" and "extra ==" not in value and "python_version" not in value
    }

    assert {requirement.split("<")[0].split(">")[0] for requirement in unconditional} == {"httpx"}


def test_what_the_fastapi_page_shows_needs_no_other_package(installed: Path) -> None:
    extra = {
        value.split(";")[0].split(">")[0].strip()
        for name, value in metadata(installed)
        if name == "Requires-Dist" and "extra == 'fastapi'" in value
    }

    assert extra == {"fastapi", "python-multipart", "email-validator"}


def test_every_package_is_marked_as_typed(installed: Path) -> None:
    packages = [path for path in installed.glob("poststack*") if (path / "__init__.py").exists()]

    assert len(packages) == 5
    assert all((path / "py.typed").exists() for path in packages)


def test_the_emulators_pages_are_in_the_wheel(installed: Path) -> None:
    inbox = installed / "poststack" / "emulator" / "inbox"

    assert list(inbox.glob("templates/*.html"))
    assert list(inbox.glob("static/*.css"))


def test_importing_the_client_imports_no_http_library() -> None:
    program = "import sys, poststack; poststack.PostStack; print(*{'httpx', 'httpcore', 'anyio'} & sys.modules.keys())"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""
