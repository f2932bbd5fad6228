"""The emulator's inbox: pages for people, under `/inbox`, rendered on the server and alive without a build step."""

from __future__ import annotations

from poststack.emulator.inbox.routes import routes

__all__ = ["routes"]
