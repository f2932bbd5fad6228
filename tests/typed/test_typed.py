"""The types users see, as both checkers see them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFUSED = Path(__file__).with_name("refused.py")
ACCEPTED = [Path(__file__).with_name(name) for name in ("api.py", "groups.py", "django_messages.py")]

pytestmark = pytest.mark.slow


def lines_marked_refused() -> set[int]:
    lines = REFUSED.read_text("utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# refused")}


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout


Refused = dict[str, set[int]]
"""The lines that a checker refuses, by the name of the file."""


@pytest.fixture(scope="module")
def by_mypy() -> Refused:
    files = [str(path) for path in (REFUSED, *ACCEPTED)]
    output = run(sys.executable, "-m", "mypy", "--enable-error-code=unused-coroutine", "--no-pretty", *files)
    assert re.search(rf"checked {len(files)} source files|Found \d+ errors", output), output
    found: Refused = defaultdict(set)
    for name, number in re.findall(r"([^/\n]+\.py):(\d+): error", output):
        found[name].add(int(number))
    return found


@pytest.fixture(scope="module")
def by_pyright(tmp_path_factory: pytest.TempPathFactory) -> Refused:
    # A project file of its own: the repository's excludes the lines that must fail.
    folder = tmp_path_factory.mktemp("typed")
    for path in (REFUSED, *ACCEPTED):
        shutil.copy(path, folder)
    config = {"include": ["."], "typeCheckingMode": "strict", "extraPaths": [str(ROOT)], "pythonVersion": "3.10"}
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    output = json.loads(
        run(sys.executable, "-m", "pyright", "--outputjson", "--project", str(folder), "--pythonpath", sys.executable)
    )
    assert output["summary"]["filesAnalyzed"] == 1 + len(ACCEPTED)
    found: Refused = defaultdict(set)
    for one in output["generalDiagnostics"]:
        if one["severity"] == "error":
            found[Path(one["file"]).name].add(one["range"]["start"]["line"] + 1)
    return found


def test_mypy_refuses_exactly_the_lines_that_are_wrong(by_mypy: Refused) -> None:
    assert by_mypy[REFUSED.name] == lines_marked_refused()


def test_pyright_refuses_exactly_the_lines_that_are_wrong(by_pyright: Refused) -> None:
    # Strict mode also complains of what follows from a wrong line, so nothing may be missing; more is no surprise.
    assert lines_marked_refused() <= by_pyright[REFUSED.name]


@pytest.mark.parametrize("accepted", ACCEPTED, ids=lambda path: path.stem)
def test_mypy_infers_the_exact_types_of_all_calls(accepted: Path, by_mypy: Refused) -> None:
    assert by_mypy[accepted.name] == set()


@pytest.mark.parametrize("accepted", ACCEPTED, ids=lambda path: path.stem)
def test_pyright_infers_the_exact_types_of_all_calls(accepted: Path, by_pyright: Refused) -> None:
    assert by_pyright[accepted.name] == set()


def test_every_public_name_has_a_complete_type(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(installed))  # pyright verifies installed packages only.
    verify = ("--verifytypes", "poststack", "--ignoreexternal", "--outputjson", "--pythonpath", sys.executable)
    output = run(sys.executable, "-m", "pyright", *verify)
    report = json.loads(output)["typeCompleteness"]
    incomplete = [one["name"] for one in report["symbols"] if one["isExported"] and not one["isTypeKnown"]]
    assert incomplete == []
    assert report["completenessScore"] == 1
