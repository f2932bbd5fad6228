"""The commands `flask poststack …`."""

from __future__ import annotations

from typing import Final

from flask.cli import AppGroup

__all__ = ["commands"]

commands: Final = AppGroup("poststack", help="Send a test e-mail, keep webhooks, run the emulator.")
