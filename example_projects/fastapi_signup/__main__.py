"""Run the application on this machine: `python -m example_projects.fastapi_signup [--port 8000]`."""

from __future__ import annotations

import argparse
import logging
import os

import uvicorn


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m example_projects.fastapi_signup")
    parser.add_argument("--port", type=int, default=8000)
    port: int = parser.parse_args().port
    os.environ.setdefault("SIGNUP_URL", f"http://127.0.0.1:{port}")
    logging.basicConfig(format="%(levelname)s: %(message)s")
    uvicorn.run(
        "example_projects.fastapi_signup.app:app",
        port=port,
        access_log=False,  # It would hold the addresses of people's pages.
        timeout_graceful_shutdown=3,  # Pages that are open listen for events for ever.
    )


if __name__ == "__main__":
    main()
