"""What the application is told by its environment; PostStack's own settings are read by `make_lifespan`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """`url` is where visitors find the application: letters have links, and a request's `Host` can be anything."""

    data_dir: Path
    url: str = "http://127.0.0.1:8000"
    sender: str = "Lantern Walks <walks@lantern.example>"

    @classmethod
    def from_environment(cls) -> Settings:
        """Read `SIGNUP_DATA_DIR`, `SIGNUP_URL` and `SIGNUP_FROM`."""
        return cls(
            Path(os.environ.get("SIGNUP_DATA_DIR") or Path(__file__).parent / "data"),
            (os.environ.get("SIGNUP_URL") or cls.url).rstrip("/"),
            os.environ.get("SIGNUP_FROM") or cls.sender,
        )
