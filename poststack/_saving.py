"""Where a download goes: a path, whose file is whole or not there, or a file that is open already."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from typing import TYPE_CHECKING, Final, Protocol, cast
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["BinaryFile", "FileSink", "saving"]

WRITE_SIZE: Final = 256 * 2**10
"""Bytes that are written at a time. On an event loop, each write takes a turn of a worker thread."""


class BinaryFile(Protocol):
    """What a download can be written to: `open(…, "wb")`, `io.BytesIO()`, and whatever else takes bytes."""

    def write(self, data: bytes, /) -> object:
        """Take bytes."""
        ...


class FileSink:
    """Takes what transports receive to a file, some of it at a time.

    What the file raises is kept in `failure`: transports make errors of their own of whatever comes up.
    """

    def __init__(self, file: BinaryFile) -> None:
        self._file = file
        self._held = bytearray()
        self._start, self._end = _place(file)
        self._untouched = True
        self.received: int = 0
        """Bytes, since the last `restart`."""
        self.failure: Exception | None = None

    def write(self, data: bytes) -> None:
        """Take a part of the answer."""
        self.received += len(data)
        self._held += data
        if len(self._held) >= WRITE_SIZE:
            self.flush()

    async def awrite(self, data: bytes) -> None:
        """Take a part of the answer, and hold up no event loop."""
        self.received += len(data)
        self._held += data
        if len(self._held) >= WRITE_SIZE:
            await self.aflush()

    def flush(self) -> None:
        """Write what is held back. Raises what the file raises."""
        if not self._held:
            return
        self._untouched = False
        try:
            _write_all(self._file, bytes(self._held))
        except Exception as error:
            self.failure = error
            raise
        self._held.clear()

    async def aflush(self) -> None:
        """Write what is held back, on a thread. Raises what the file raises."""
        import anyio

        await anyio.to_thread.run_sync(self.flush)

    def restart(self) -> bool:
        """Forget what came, and return whether the file is as it was: one that cannot go back is not."""
        self._held.clear()
        self.received = 0
        if self._untouched:
            return True
        if self._start is None:
            return False
        try:
            seekable = cast("io.BytesIO", self._file)
            seekable.seek(self._start)
            seekable.truncate(self._end)
        except (OSError, ValueError, AttributeError):  # Such as a file that can go back, and cannot get shorter.
            return False
        self._untouched = True
        return True


@contextlib.contextmanager
def saving(file: str | os.PathLike[str] | BinaryFile) -> Generator[FileSink]:
    """Give what to write to, and put a path's file in its place at the end, unless something is raised.

    Raises `ValueError` for what is neither a path nor a binary file, and `OSError` for a path where no file can be.
    """
    if not isinstance(file, (str, os.PathLike)):
        sink = FileSink(_checked(file))
        try:
            yield sink
        except BaseException:
            sink.restart()
            raise
        return
    target = os.path.realpath(file)  # What a symbolic link leads to is replaced, and not the link.
    mode = _mode(target, file)
    # No part of the name itself: with it, this one could be too long.
    temporary = os.path.join(os.path.dirname(target), f".poststack-{uuid4().hex}.part")
    allowed = 0o666 if mode is None else mode & 0o666
    with _naming(file, temporary):
        opened = open(temporary, "xb", buffering=0, opener=lambda path, flags: os.open(path, flags, allowed))  # noqa: SIM115  # closed before it is renamed
    try:
        with opened:
            if mode is not None:
                with _naming(file, temporary):
                    os.chmod(temporary, mode)
            yield FileSink(opened)
        with _naming(file, temporary):
            os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def _naming(given: str | os.PathLike[str], temporary: str) -> Generator[None]:
    """Have errors name the file that was asked for: the temporary one is nothing that the caller knows."""
    try:
        yield
    except OSError as error:
        if error.filename != temporary or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(given)) from None


def _mode(target: str, given: str | os.PathLike[str]) -> int | None:
    """Return the permissions of the file that is to be replaced, `None` when there is none."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISREG(mode):
        return stat.S_IMODE(mode)
    # Replacing a device or a pipe would not write to it.
    raise ValueError(f"{os.fspath(given)!r} is there, and no regular file. Name another, or open it and pass the file.")


def _checked(file: object) -> BinaryFile:
    write = getattr(file, "write", None)
    if not callable(write):
        raise ValueError(f"file must be a path, or a file that is open for writing bytes; not {type(file).__name__}.")
    if isinstance(file, io.TextIOBase):
        raise ValueError("file is open for text. Open it for bytes: open(…, 'wb').")
    from inspect import iscoroutinefunction

    if iscoroutinefunction(write):
        raise ValueError(
            "file must have a `write` that is not to be awaited. Pass a path or an ordinary file: it is written to on "
            "a thread, which holds up no event loop."
        )
    return cast("BinaryFile", file)


def _place(file: BinaryFile) -> tuple[int | None, int]:
    """Return where a file is written from and where it ends; `None` when it cannot go back there."""
    try:
        seekable = cast("io.BytesIO", file)
        if not seekable.seekable():
            return None, 0
        start = seekable.tell()
        end = seekable.seek(0, os.SEEK_END)
        seekable.seek(start)
    except (OSError, ValueError, AttributeError):
        return None, 0
    return start, end


def _write_all(file: BinaryFile, data: bytes) -> None:
    written = file.write(data)
    # What is not buffered may take less at a time; all others take everything, and some do not say how much.
    while isinstance(file, io.RawIOBase) and (not isinstance(written, int) or written < len(data)):
        if not isinstance(written, int):
            raise BlockingIOError("The file takes nothing now. Pass one that waits until it does.")
        data = data[written:]
        written = file.write(data)
