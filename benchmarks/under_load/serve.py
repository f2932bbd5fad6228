"""Serve the application of a file with uvicorn, one worker, on a free port, which is printed.

    python serve.py APPLICATION.py

Ends when its standard input does, and prints the CPU seconds that it has used since its start was complete.
"""

from __future__ import annotations

import asyncio
import os
import runpy
import sys
import time

import uvicorn


async def main(path: str) -> float:
    """Serve until nobody is there any more to be served."""
    application = runpy.run_path(path)["app"]
    # uvicorn opens the socket, as it does for `uvicorn main:app`: on one that it is given, asyncio may leave Nagle's
    # algorithm on, and each answer waits 40 ms for the acknowledgement of its own headers.
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="warning", access_log=False))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    begun = time.process_time()
    # A thread that waits costs nothing; a watched pipe would be one more thing for the loop to look at.
    await asyncio.to_thread(os.read, sys.stdin.fileno(), 1)
    used = time.process_time() - begun
    server.should_exit = True
    await serving
    return used


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1])))
