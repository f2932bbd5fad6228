"""The types users see, as both checkers see them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFUSED = Path(__file__).with_name("refused.py")
ACCEPTED = [Path(__file__).with_name(name) for name in ("api.py", "django_messages.py")]

pytestmark = pytest.mark.slow


def lines_marked_refused() -> set[int]:
    lines = REFUSED.read_text("utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# refused")}


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout


def lines_refused_by_mypy(path: Path) -> set[int]:
    output = run(sys.executable, "-m", "mypy", "--enable-error-code=unused-coroutine", "--no-pretty", str(path))
    return {int(number) for number in re.findall(rf"{path.name}:(\d+): error", output)}


def lines_refused_by_pyright(path: Path, folder: Path) -> set[int]:
    # A project file of its own: the repository's excludes the lines that must fail.
    shutil.copy(path, folder)
    config = {"include": ["."], "typeCheckingMode": "strict", "extraPaths": [str(ROOT)], "pythonVersion": "3.10"}
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    output = run(
        sys.executable, "-m", "pyright", "--outputjson", "--project", str(folder), "--pythonpath", sys.executable
    )
    found = json.loads(output)["generalDiagnostics"]
    return {one["range"]["start"]["line"] + 1 for one in found if one["severity"] == "error"}


def test_mypy_refuses_exactly_the_lines_that_are_wrong() -> None:
    assert lines_refused_by_mypy(REFUSED) == lines_marked_refused()


def test_pyright_refuses_exactly_the_lines_that_are_wrong(tmp_path: Path) -> None:
    # Strict mode also complains of what follows from a wrong line, so nothing may be missing; more is no surprise.
    assert lines_marked_refused() <= lines_refused_by_pyright(REFUSED, tmp_path)


@pytest.mark.parametrize("accepted", ACCEPTED, ids=lambda path: path.stem)
def test_mypy_infers_the_exact_types_of_all_calls(accepted: Path) -> None:
    assert lines_refused_by_mypy(accepted) == set()


@pytest.mark.parametrize("accepted", ACCEPTED, ids=lambda path: path.stem)
def test_pyright_infers_the_exact_types_of_all_calls(accepted: Path, tmp_path: Path) -> None:
    assert lines_refused_by_pyright(accepted, tmp_path) == set()


def test_every_public_name_has_a_complete_type(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(installed))  # pyright verifies installed packages only.
    verify = ("--verifytypes", "poststack", "--ignoreexternal", "--outputjson", "--pythonpath", sys.executable)
    output = run(sys.executable, "-m", "pyright", *verify)
    report = json.loads(output)["typeCompleteness"]
    incomplete = [one["name"] for one in report["symbols"] if one["isExported"] and not one["isTypeKnown"]]
    assert incomplete == []
    assert report["completenessScore"] == 1
