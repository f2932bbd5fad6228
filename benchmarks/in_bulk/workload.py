"""Send many e-mails by asynchronous bulk with whichever MailBridge this interpreter has; print CPU seconds and memory.

    python workload.py MODULE ADDRESS COUNT same|own

MODULE is `poststack.mailbridge` or `mailbridge`. `same`: all have one subject and one body, as a newsletter has;
`own`: each has its own. Prints the CPU seconds of one e-mail, user and system time of this process, and the memory that
the bulk took above what was taken before, in MiB.
"""

from __future__ import annotations

import asyncio
import runpy
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

memory: Any = runpy.run_path(str(Path(__file__).parents[1] / "memory.py"))
BODY = "<p>Dear Ada, thank you for your order. It is on its way.</p>" * 10


async def main(module: str, address: str, count: int, kind: str) -> str:
    """Measure."""
    library: Any = import_module(module)
    endpoint = f"{address}/v3/mail/send"
    message = library.EmailMessageDto
    async with library.AsyncMailBridge(
        "sendgrid", api_key="SG.benchmark", endpoint=endpoint, from_email="shop@example.com"
    ) as mailer:

        def some(number: int) -> list[Any]:
            return [
                message(to=f"user{n}@example.net", subject="News", body=BODY if kind == "same" else f"{BODY}<p>{n}</p>")
                for n in range(number)
            ]

        await mailer.send_bulk(some(50))
        memory["reset_peak"]()
        before = memory["resident"]()
        begun = time.process_time()
        result = await mailer.send_bulk(some(count))
        spent = time.process_time() - begun
        taken = memory["peak"]() - before
    if result.successful != count:
        raise RuntimeError(f"{result.successful} of {count} were sent")
    return f"{spent / count} {taken}"


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])))
