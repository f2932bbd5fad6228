"""The generator, as someone who adds a group uses it."""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GROUPS = sorted(path.stem for path in (ROOT / "poststack/types").glob("[a-z]*.py") if path.stem != "common")

pytestmark = pytest.mark.slow

TYPES = '''"""Somebody's new group."""

from poststack.types.common import TypedDict

__all__ = ["Stamp"]


class Stamp(TypedDict):
    """A stamp."""

    id: int
'''

GROUP = '''"""Somebody's new group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Request
from poststack.types.stamps import Stamp

if TYPE_CHECKING:
    from poststack._async.session import AsyncSession

__all__ = ["AsyncStamps"]


class AsyncStamps:
    """Stamps."""

    def __init__(self, session: AsyncSession) -> None:
        self._session: AsyncSession = session

    async def get(self, id: int, *, timeout: float | None = None) -> Stamp:
        """Return one stamp."""
        return await self._session.call(Request("GET", f"/stamps/{id:d}", Stamp), timeout)
'''

PROPERTY = '''    @cached_property
    def stamps(self) -> AsyncStamps:
        """Stamps."""
        from poststack._async.stamps import AsyncStamps

        return AsyncStamps(self._session)

'''


def unasync(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "unasync.py"), "--root", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for folder in ("poststack", "tests/client"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_committed_twins_are_up_to_date() -> None:
    done = unasync(ROOT, "--check")

    assert done.returncode == 0, done.stdout


def test_a_stale_a_missing_and_an_orphaned_twin_are_named(copy: Path) -> None:
    with (copy / "poststack/_sync/emails.py").open("a") as file:
        file.write("\n# changed by hand\n")
    (copy / "poststack/_sync/webhooks.py").unlink()
    (copy / "poststack/_sync/gone.py").touch()

    done = unasync(copy, "--check")

    assert done.returncode == 1
    problems = {tuple(line.split(": ")) for line in done.stdout.splitlines()}
    assert {(kind, Path(path).name) for kind, path in problems} == {
        ("stale", "emails.py"),
        ("missing", "webhooks.py"),
        ("orphaned", "gone.py"),
    }


def test_a_twin_cut_short_is_stale(copy: Path) -> None:
    twin = copy / "poststack/_sync/emails.py"
    twin.write_text("".join(twin.read_text().splitlines(keepends=True)[:20]))

    assert unasync(copy, "--check").returncode == 1


def test_a_new_group_is_a_types_file_an_async_file_and_its_name_in_the_client(copy: Path) -> None:
    (copy / "poststack/types/stamps.py").write_text(TYPES)
    (copy / "poststack/_async/stamps.py").write_text(GROUP)
    client = copy / "poststack/_async/client.py"
    source = client.read_text()
    for before, line in (
        ("    from poststack._async.suppressions", "    from poststack._async.stamps import AsyncStamps\n"),
        ("    @cached_property\n    def subscription_topics", PROPERTY),
    ):
        assert source.count("\n" + before) == 1
        source = source.replace("\n" + before, "\n" + line + before)
    client.write_text(source)

    assert unasync(copy).returncode == 0

    program = """
import poststack
from poststack.transports.base import HttpResponse
class Transport:
    def send(self, request):
        return HttpResponse(200, {}, b'{"id": 7}')
    def close(self): ...
print(poststack.__file__, poststack.PostStack("sk_test_x", transport=Transport()).stamps.get(7))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=copy, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [str(copy / "poststack/__init__.py"), "{'id':", "7}"], done.stderr
    typed = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "poststack/_sync/stamps.py", "poststack/_sync/client.py"],
        cwd=copy, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert typed.returncode == 0, typed.stdout


@pytest.mark.parametrize("group", ["client", *GROUPS])
def test_both_clients_have_the_same_methods_with_the_same_arguments(group: str) -> None:
    pair = [importlib.import_module(f"poststack.{folder}.{group}") for folder in ("_async", "_sync")]
    classes = [getattr(module, module.__all__[0]) for module in pair]
    signatures = [
        {
            name.replace("aclose", "close"): re.sub(
                # Only the asynchronous client takes what is awaited.
                r" \| AsyncIterable\[\w+\]|Async|\bAwaitable\[(\w+)\]",
                r"\1",
                str(inspect.signature(method)).split(" -> ")[0],
            )
            for name, method in inspect.getmembers(one, inspect.isfunction)
            if not name.startswith("__a") and name not in {"__enter__", "__exit__"}
        }
        for one in classes
    ]

    assert signatures[0] == signatures[1]
