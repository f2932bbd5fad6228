"""Downloads into files."""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from poststack import AsyncPostStack, PostStackConnectionError, PostStackError
from poststack.transports.base import HttpRequest, HttpResponse
from tests.scripted import FeedingTransport, ScriptedTransport, cut, refusal, response

pytestmark = pytest.mark.anyio

PART = b"0123456789abcdef" * 2**15
"""More than is held back: it is written at once."""
posix = pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions and links.")


def answering(*steps: Any, **options: Any) -> AsyncPostStack:
    """Return a client over a transport that knows of no sinks."""
    return AsyncPostStack("sk_test_x", transport=ScriptedTransport(*steps), **options)


def feeding(*downloads: list[bytes | Exception], **options: Any) -> tuple[FeedingTransport, AsyncPostStack]:
    transport = FeedingTransport(*downloads)
    return transport, AsyncPostStack("sk_test_x", transport=transport, **options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_an_attachment_becomes_a_file(tmp_path: Path) -> None:
    transport, client = feeding([PART, b"", b"the end"])

    written = await client.inbound_emails.save_attachment(7, 8, tmp_path / "invoice.pdf")

    assert written == len(PART) + 7
    assert (tmp_path / "invoice.pdf").read_bytes() == PART + b"the end"
    assert names(tmp_path) == ["invoice.pdf"]
    assert transport.requests[0].url.endswith("/inbound/7/attachments/8")


async def test_contacts_become_a_file(tmp_path: Path) -> None:
    transport, client = feeding([b"email\r\n", b"ada@example.com\r\n"])

    written = await client.contacts.save_csv(str(tmp_path / "contacts.csv"), segment_id="seg_1", timeout=5)

    assert written == 24
    assert (tmp_path / "contacts.csv").read_bytes() == b"email\r\nada@example.com\r\n"
    assert transport.requests[0].url.endswith("/contacts/export?segment_id=seg_1")
    assert transport.requests[0].timeout == 5


async def test_a_transport_that_knows_of_no_sinks_saves_as_well(tmp_path: Path) -> None:
    client = answering(response(200, b"all of it"))

    assert await client.inbound_emails.save_attachment(7, 8, tmp_path / "file") == 9
    assert (tmp_path / "file").read_bytes() == b"all of it"


async def test_an_empty_download_is_an_empty_file(tmp_path: Path) -> None:
    _, client = feeding([])

    assert await client.contacts.save_csv(tmp_path / "file") == 0
    assert (tmp_path / "file").read_bytes() == b""


async def test_a_file_that_is_open_is_written_from_where_it_stands(tmp_path: Path) -> None:
    _, client = feeding([b"first"], [PART])
    memory = io.BytesIO(b"head:")
    memory.seek(5)

    assert await client.contacts.save_csv(memory) == 5
    assert await client.contacts.save_csv(memory) == len(PART)
    assert memory.getvalue() == b"head:first" + PART


@pytest.mark.parametrize("buffering", [0, -1])
@pytest.mark.parametrize("mode", ["wb", "ab", "r+b"])
async def test_ordinary_files_of_all_kinds_are_written_to(tmp_path: Path, mode: str, buffering: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    _, client = feeding([PART, cut()], [b"new"])

    with open(path, mode, buffering=buffering) as file:
        assert await client.contacts.save_csv(file) == 3

    assert path.read_bytes() == (b"oldnew" if mode == "ab" else b"new")


class Drops(io.RawIOBase):
    """Takes three bytes at a time."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.taken += bytes(data[:3])
        return min(3, len(data))


class Busy(Drops):
    """Takes nothing now."""

    def write(self, data: Any, /) -> None:  # type: ignore[override]  # as its documentation has it
        del data


async def test_a_file_that_takes_less_than_it_is_given_gets_everything() -> None:
    _, client = feeding([b"12345678"])
    file = Drops()

    assert await client.contacts.save_csv(file) == 8
    assert file.taken == b"12345678"


async def test_a_file_that_takes_nothing_is_an_error() -> None:
    _, client = feeding([b"12345678"])

    with pytest.raises(BlockingIOError, match="takes nothing now"):
        await client.contacts.save_csv(Busy())


class Once:
    """Takes bytes, and cannot go back. Says nothing about how much it has taken."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def write(self, data: bytes, /) -> None:
        self.taken.append(data)


async def test_whatever_takes_bytes_is_a_file() -> None:
    _, client = feeding([b"a", b"b", PART, b"c"])
    file = Once()

    assert await client.contacts.save_csv(file) == len(PART) + 3
    assert b"".join(file.taken) == b"ab" + PART + b"c"


async def test_an_answer_that_is_cut_off_is_fetched_again_from_the_start(tmp_path: Path) -> None:
    transport, client = feeding([PART, b"half", cut()], [b"some", cut()], [PART, b"whole"])

    assert await client.contacts.save_csv(tmp_path / "file") == len(PART) + 5
    assert (tmp_path / "file").read_bytes() == PART + b"whole"
    assert len(transport.requests) == 3


async def test_what_an_open_file_had_before_is_kept_when_an_answer_is_fetched_again() -> None:
    _, client = feeding([PART, cut()], [b"whole"])
    memory = io.BytesIO(b"head")
    memory.seek(4)

    assert await client.contacts.save_csv(memory) == 5
    assert memory.getvalue() == b"headwhole"


async def test_a_file_that_cannot_go_back_gets_no_second_answer() -> None:
    transport, client = feeding([PART, cut()], [PART])

    with pytest.raises(PostStackConnectionError, match=r"cannot be put back .* Give a path, or a file that can seek\."):
        await client.contacts.save_csv(Once())

    assert len(transport.requests) == 1


async def test_a_file_that_cannot_go_back_and_has_nothing_yet_gets_one() -> None:
    _, client = feeding([b"half", cut()], [b"whole"])
    file = Once()

    assert await client.contacts.save_csv(file) == 5
    assert b"".join(file.taken) == b"whole"


class Stuck(io.BytesIO):
    """Can go back, and cannot get shorter."""

    def truncate(self, size: int | None = None, /) -> int:
        raise io.UnsupportedOperation("truncate")


async def test_a_file_that_cannot_get_shorter_gets_no_second_answer() -> None:
    _, client = feeding([PART, cut()], [PART])

    with pytest.raises(PostStackConnectionError, match="cannot be put back"):
        await client.contacts.save_csv(Stuck())


async def test_what_fails_leaves_the_file_of_before(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    _, client = feeding([PART, cut()], max_retries=0)

    with pytest.raises(PostStackConnectionError):
        await client.contacts.save_csv(path)

    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


async def test_what_fails_puts_an_open_file_back() -> None:
    memory = io.BytesIO(b"head and more")
    memory.seek(4)
    _, client = feeding([PART, cut()], max_retries=0)

    with pytest.raises(PostStackConnectionError):
        await client.contacts.save_csv(memory)

    assert memory.tell() == 4
    assert len(memory.getvalue()) == 13


async def test_a_refusal_makes_no_file(tmp_path: Path) -> None:
    client = answering(refusal(404, "not_found"))

    with pytest.raises(PostStackError) as raised:
        await client.inbound_emails.save_attachment(7, 8, tmp_path / "file")

    assert raised.value.code == "not_found"
    assert names(tmp_path) == []


class Full:
    """A disk without room."""

    def write(self, data: bytes, /) -> int:
        raise OSError(28, "No space left on device")


async def test_what_the_file_raises_is_raised_and_nothing_is_repeated() -> None:
    transport, client = feeding([PART, PART])
    with pytest.raises(OSError, match="No space left"):
        await client.contacts.save_csv(Full())
    assert len(transport.requests) == 1

    _, client = feeding([b"held back to the end"])
    with pytest.raises(OSError, match="No space left"):
        await client.contacts.save_csv(Full())


@posix
async def test_permissions_of_the_file_of_before_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o640)
    _, client = feeding([b"new"], [b"another"])

    await client.contacts.save_csv(path)
    await client.contacts.save_csv(tmp_path / "other")

    assert path.stat().st_mode & 0o777 == 0o640
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o666 & ~umask


@posix
async def test_what_a_link_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("file")
    _, client = feeding([b"new"])

    await client.contacts.save_csv(tmp_path / "link")

    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


async def test_a_name_of_any_length_is_taken(tmp_path: Path) -> None:
    _, client = feeding([b"new"])

    assert await client.contacts.save_csv(tmp_path / ("x" * 255)) == 3


async def test_places_where_no_file_can_be_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    transport, client = feeding([b"new"])

    with pytest.raises(ValueError, match="no regular file"):
        await client.contacts.save_csv(tmp_path)
    with pytest.raises(FileNotFoundError) as missing:
        await client.contacts.save_csv(tmp_path / "missing" / "file")
    assert str(missing.value).endswith(f"{os.fspath(tmp_path / 'missing' / 'file')!r}")
    assert missing.value.filename == os.fspath(tmp_path / "missing" / "file")
    if sys.platform != "win32":
        with pytest.raises(ValueError, match="no regular file"):
            await client.contacts.save_csv(os.devnull)

    assert transport.requests == []
    assert names(tmp_path) == []


class Removing(FeedingTransport):
    """Has the folder vanish while the download is under way."""

    def __init__(self, folder: Path) -> None:
        super().__init__([b"new"])
        self.folder = folder

    async def asend(self, request: HttpRequest) -> HttpResponse:
        answer = await super().asend(request)
        shutil.rmtree(self.folder)
        return answer


@posix
async def test_a_folder_that_vanishes_during_a_download_is_told_by_the_name_of_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    client = AsyncPostStack("sk_test_x", transport=Removing(folder))

    with pytest.raises(FileNotFoundError) as missing:
        await client.contacts.save_csv(folder / "file")

    assert str(missing.value).endswith(f"{os.fspath(folder / 'file')!r}")
    assert ".part" not in str(missing.value)


@pytest.mark.parametrize("given", [None, 7, b"name", object()], ids=["none", "number", "bytes", "object"])
async def test_what_is_no_file_is_refused_before_anything_is_sent(given: Any) -> None:
    transport, client = feeding([b"new"])

    with pytest.raises(ValueError, match="file must be a path, or a file that is open for writing bytes"):
        await client.contacts.save_csv(given)

    assert transport.requests == []


async def test_a_file_for_text_is_refused_before_anything_is_sent() -> None:
    transport, client = feeding([b"new"])
    text: Any = io.StringIO()

    with pytest.raises(ValueError, match="open for text"):
        await client.contacts.save_csv(text)

    assert transport.requests == []


async def test_a_download_comes_with_its_response(tmp_path: Path) -> None:
    _, client = feeding([PART, cut()], [b"whole"])

    answer = await client.with_response(client.contacts.save_csv, tmp_path / "file", segment_id="seg_1")

    assert (answer.data, answer.status_code, answer.attempts) == (5, 200, 2)
    assert (tmp_path / "file").read_bytes() == b"whole"
