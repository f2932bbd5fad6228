"""The command line, as far as it opens no port."""

from __future__ import annotations

from pathlib import Path

import pytest

from poststack.cli import main


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("poststack 0.")


def test_without_a_command_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "emulator" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [
        ["--port", "x"],
        ["--port", "70000"],
        ["--max-emails", "0"],
        ["--max-emails", "many"],
        ["--rate-limit", "-1"],
        ["--rate-limit", "often"],
        ["--unknown"],
    ],
)
def test_wrong_arguments_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["emulator", *wrong])

    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert wrong[0] in error
    assert "invalid" not in error  # argparse's own words name a function of ours


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--webhook", "nowhere"], "http or https"),
        (["--webhook-secret", "x"], "needs --webhook"),
        (["--webhook", "http://127.0.0.1:1", "--webhook-secret", ""], "must not be empty"),
        (["--api-key", ""], "must not be empty"),
        (["--workflow-sender", ""], "must not be empty"),
        (["--workflow-sender", "nonsense"], "Give an address, such as shop@example.com"),
        (["--host", "no.such.host.invalid"], "Cannot listen"),
    ],
)
def test_what_cannot_work_is_one_line(options: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emulator", "--port", "0", *options]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert len(error.splitlines()) == 1


def test_a_bad_data_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emulator", "--port", "0", "--data", str(tmp_path / "missing" / "file")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
