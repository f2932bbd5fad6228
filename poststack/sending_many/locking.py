"""One process at a time: a lock on an open file, which ends with the process however that ends."""

from __future__ import annotations

import sys

__all__ = ["lock"]

if sys.platform == "win32":
    import msvcrt

    # Far behind what is in the file, because others cannot read what is locked there.
    _PLACE = 1 << 40

    def lock(file: int) -> bool:
        """Lock an open file; return whether nobody else has."""
        import os

        before = os.lseek(file, 0, os.SEEK_CUR)
        os.lseek(file, _PLACE, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(file, before, os.SEEK_SET)
        return True

else:
    import fcntl

    def lock(file: int) -> bool:
        """Lock an open file; return whether nobody else has. Raises `OSError` where files cannot be locked."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
