"""Saves a large file and says by how many MiB the process has grown meanwhile.

python -m tests.transports.large_download FLAVOUR plain|gzip
"""

from __future__ import annotations

import resource
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

from tests.servers import Visitor, serving
from tests.transports.conversations import ALL, run_call

BLOCK = b"x" * 2**20
BLOCKS = 200


def peak() -> float:
    """Return the most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def compressed(blocks: int) -> bytes:
    """Return so many blocks as gzip."""
    encoder = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    return b"".join([*(encoder.compress(BLOCK) for _ in range(blocks)), encoder.flush()])


def main() -> None:
    """Measure."""
    flavour = next(flavour for flavour in ALL if flavour.name == sys.argv[1])
    answers = {blocks: compressed(blocks) for blocks in (2, BLOCKS)}

    def script(visitor: Visitor) -> None:
        while request := visitor.request():
            blocks = int(request.first_line.split("/")[2])
            if sys.argv[2] == "gzip":
                body = answers[blocks]
                visitor.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body))
                visitor.send(body)
                continue
            visitor.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (blocks * len(BLOCK)))
            for _ in range(blocks):
                visitor.send(BLOCK)

    with serving(script) as server, tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")

        def save(blocks: int) -> int:
            def call(client: Any) -> Any:
                return client.inbound_emails.save_attachment(blocks, 1, path)

            written: int = run_call(flavour, server.url, call)
            return written

        save(2)
        before = peak()
        assert save(BLOCKS) == path.stat().st_size == BLOCKS * len(BLOCK)
    sys.stdout.write(f"{peak() - before:.1f}")


if __name__ == "__main__":
    main()
