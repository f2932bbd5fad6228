"""Prints, so that nothing printed can end a run: whoever reads may have gone, and texts come from anywhere."""

from __future__ import annotations

import errno
import os
import re
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["say", "tell"]

_GONE: Final = (errno.EPIPE, errno.EIO)
"""What a pipe says without a reader, and a terminal that was closed."""
# A text of the API or a name in a file could move the cursor, or change the colours.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def say(text: str) -> None:
    """Print a result, to standard output."""
    _print(text, sys.stdout)


def tell(text: str) -> None:
    """Print what is wrong or how far it is, to standard error."""
    _print(text, sys.stderr)


def _print(text: str, stream: TextIO) -> None:
    encoding = stream.encoding or "utf-8"
    shown = _CONTROL.sub("?", text).encode(encoding, "replace").decode(encoding)
    try:
        print(shown, file=stream, flush=True)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        # What is left in the buffer goes where it disturbs nobody, also when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
