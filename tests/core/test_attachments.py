"""Files, bytes and open files as attachments."""

from __future__ import annotations

import base64
import io
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from poststack import attachments
from poststack._checks import LARGEST_ATTACHMENT

UNKNOWN = "application/octet-stream"


def test_a_path_gives_name_type_and_content(tmp_path: Path) -> None:
    path = tmp_path / "invoice.pdf"
    path.write_bytes(b"%PDF")

    assert attachments.from_path(path) == {
        "filename": "invoice.pdf",
        "content": base64.b64encode(b"%PDF").decode(),
        "content_type": "application/pdf",
    }
    assert attachments.from_path(str(path), filename="bill", content_type="a/b", content_id="<logo>") == {
        "filename": "bill",
        "content": base64.b64encode(b"%PDF").decode(),
        "content_type": "a/b",
        "content_id": "logo",
    }


@pytest.mark.parametrize(
    ("name", "guessed"),
    [("a.png", "image/png"), ("a.txt", "text/plain"), ("a.tar.gz", UNKNOWN), ("a", UNKNOWN)],
)
def test_the_type_is_guessed_from_the_name(name: str, guessed: str) -> None:
    assert attachments.from_bytes(b"x", name).get("content_type") == guessed


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        attachments.from_path(tmp_path / "missing")


@pytest.mark.parametrize("content", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_all_kinds_of_bytes_are_taken(content: Any) -> None:
    assert attachments.from_bytes(content, "a.bin")["content"] == "YWJj"


def test_a_view_is_measured_in_bytes() -> None:
    view = memoryview(bytes(LARGEST_ATTACHMENT + 4)).cast("I")

    with pytest.raises(ValueError, match="10,000,000"):
        attachments.from_bytes(view, "a.bin")


def test_the_rest_of_an_open_file_is_read() -> None:
    file = io.BytesIO(b"abcdef")
    file.seek(3)

    assert attachments.from_file(file, filename="a.bin")["content"] == base64.b64encode(b"def").decode()


def test_an_open_file_has_a_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"png")

    with (tmp_path / "logo.png").open("rb") as file:
        assert attachments.from_file(file)["filename"] == "logo.png"


def test_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    content = b"x" * 300_000

    def write() -> None:
        with open(writing, "wb") as target:
            target.write(content)

    thread = threading.Thread(target=write)
    thread.start()
    with open(reading, "rb", buffering=0) as file:
        attached = attachments.from_file(file, filename="a.bin")
    thread.join()

    assert base64.b64decode(attached["content"]) == content


@pytest.mark.parametrize("name", [None, "", 17])
def test_a_file_without_a_name_needs_one(name: object) -> None:
    file: Any = io.BytesIO(b"x")
    file.name = name

    with pytest.raises(ValueError, match="filename="):
        attachments.from_file(file)


def test_a_file_opened_as_text_is_refused() -> None:
    file: Any = io.StringIO("text")

    with pytest.raises(ValueError, match="'rb'"):
        attachments.from_file(file, filename="a.txt")


def test_a_file_over_the_limit_is_not_read_to_its_end() -> None:
    class Endless:
        given = 0

        def read(self, size: int = -1, /) -> bytes:
            self.given += size
            return b"x" * size

    endless = Endless()

    with pytest.raises(ValueError, match="10,000,000"):
        attachments.from_file(endless, filename="a.bin")
    assert endless.given == LARGEST_ATTACHMENT + 1


@pytest.mark.parametrize("content_id", ["", "<>"])
def test_a_content_id_is_not_empty(content_id: str) -> None:
    with pytest.raises(ValueError, match="cid:logo"):
        attachments.from_bytes(b"x", "a.png", content_id=content_id)
