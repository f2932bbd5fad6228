"""Files that a form uploads, as attachments."""

from __future__ import annotations

import io
import threading
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Form, UploadFile
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.datastructures import UploadFile as StarletteUpload
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from poststack.testing import EmulatorSession, emulator
from poststack_fastapi import PostStackDep, attachment_from_upload, attachments_from_uploads, get_poststack

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Counting(io.BytesIO):
    """A file that counts what is read of it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        part = super().read(size)
        self.taken += len(part)
        return part


def uploaded(size: int, name: str = "a.bin") -> StarletteUpload:
    return StarletteUpload(Counting(bytes(size)), filename=name)


def application(emu: EmulatorSession) -> FastAPI:
    app = FastAPI()
    client = emu.async_client()
    app.dependency_overrides[get_poststack] = lambda: client

    @app.post("/apply")
    async def apply(name: Annotated[str, Form()], cv: UploadFile, client: PostStackDep) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        sent = await client.emails.send(
            {
                "from": "jobs@example.com",
                "to": ["hr@example.com"],
                "subject": "An application",
                "text": name,
                "attachments": [await attachment_from_upload(cv)],
            }
        )
        return {"id": sent["id"]}

    return app


def test_an_uploaded_file_arrives_as_an_attachment() -> None:
    with emulator() as emu:
        cv = ("cv.pdf", b"%PDF" + bytes(2_000_000), "application/pdf")  # Larger than what Starlette keeps in memory.
        answer = TestClient(application(emu)).post("/apply", data={"name": "Ada"}, files={"cv": cv})

        assert answer.status_code == 200
        (file,) = emu.sent[0].attachments
        assert (file.filename, file.content, file.content_type) == cv


def test_a_file_over_the_limit_is_a_413_and_nothing_is_sent() -> None:
    with emulator() as emu:
        files = {"cv": ("cv.pdf", bytes(10_000_001), "application/pdf")}
        answer = TestClient(application(emu)).post("/apply", data={"name": "Ada"}, files=files)

        assert answer.status_code == 413
        assert "10,000,000 bytes." in answer.json()["detail"]
        assert emu.sent == []


def test_starlette_alone_is_enough() -> None:
    async def upload(request: Request) -> JSONResponse:
        async with request.form() as form:
            uploads = [file for file in form.getlist("file") if isinstance(file, StarletteUpload)]
            return JSONResponse(await attachments_from_uploads(uploads))

    files = [("file", ("a.txt", b"a", "text/plain")), ("file", ("b.csv", b"b", "nonsense"))]
    answer = TestClient(Starlette(routes=[Route("/", upload, methods=["POST"])])).post("/", files=files)

    assert answer.json() == [
        {"filename": "a.txt", "content": "YQ==", "content_type": "text/plain"},
        {"filename": "b.csv", "content": "Yg==", "content_type": "text/csv"},
    ]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("cv.pdf", "cv.pdf"),
        ("C:\\fakepath\\cv.pdf", "cv.pdf"),
        ("../../etc/passwd", "passwd"),
        ("c\r\nv\0.pdf", "cv.pdf"),
        (" Lebenslauf für Zoë.pdf ", "Lebenslauf für Zoë.pdf"),
    ],
)
async def test_of_a_name_only_the_name_is_kept(name: str, kept: str) -> None:
    assert (await attachment_from_upload(uploaded(1, name)))["filename"] == kept


@pytest.mark.parametrize("name", ["", "folder/", "\r\n"])
async def test_a_file_without_a_name_is_a_422(name: str) -> None:
    with pytest.raises(HTTPException) as raised:
        await attachment_from_upload(uploaded(1, name))

    assert raised.value.status_code == 422


async def test_what_is_given_replaces_what_the_browser_said() -> None:
    upload = StarletteUpload(io.BytesIO(b"a"), filename="x", headers=Headers({"content-type": "text/plain"}))

    made = await attachment_from_upload(upload, filename="logo.png", content_type="image/png", content_id="<logo>")

    assert made == {"filename": "logo.png", "content": "YQ==", "content_type": "image/png", "content_id": "logo"}


async def test_the_largest_file_is_taken_and_no_more_is_read_of_a_larger_one_than_shows_it() -> None:
    assert await attachment_from_upload(uploaded(10_000_000))
    too_large = uploaded(30_000_000)
    with pytest.raises(HTTPException):
        await attachment_from_upload(too_large)

    file: Any = too_large.file
    assert file.taken == 10_000_001


async def test_several_files_have_a_limit_together() -> None:
    within = [uploaded(10_000_000), uploaded(10_000_000), uploaded(5_000_000)]
    assert len(await attachments_from_uploads(within)) == 3

    with pytest.raises(HTTPException, match=r"25,000,000 bytes together"):
        await attachments_from_uploads([uploaded(10_000_000), uploaded(10_000_000), uploaded(5_000_001)])
    with pytest.raises(HTTPException, match=r"10,000,000 bytes\."):
        await attachments_from_uploads([uploaded(10_000_001)])


async def test_a_file_on_disk_is_read_outside_of_the_event_loop() -> None:
    threads: set[int] = set()

    class OnDisk(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            threads.add(threading.get_ident())
            return super().read(size)

    await attachment_from_upload(StarletteUpload(OnDisk(b"a"), filename="a"))

    assert threads
    assert threading.get_ident() not in threads
