"""Make every call of `every_call.py` with whichever `poststack` this interpreter has.

    python published_calls.py ADDRESS sync|async

Answers are not looked at: the test reads what arrived at the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import operator
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import every_call  # type: ignore[import-not-found, unused-ignore]  # found by the line above

import poststack


def main(address: str) -> None:
    """Call everything, one after another, on the synchronous client."""
    with poststack.PostStack("sk_test_compare", address, max_retries=0) as client:
        for call in every_call.CALLS:
            with contextlib.suppress(poststack.PostStackError):
                operator.attrgetter(call.method)(client)(*call.arguments, **call.options)


async def async_main(address: str) -> None:
    """Call everything, one after another, on the asynchronous client."""
    async with poststack.AsyncPostStack("sk_test_compare", address, max_retries=0) as client:
        for call in every_call.CALLS:
            with contextlib.suppress(poststack.PostStackError):
                await operator.attrgetter(call.method)(client)(*call.arguments, **call.options)


if __name__ == "__main__":
    if sys.argv[2] == "sync":
        main(sys.argv[1])
    else:
        asyncio.run(async_main(sys.argv[1]))
