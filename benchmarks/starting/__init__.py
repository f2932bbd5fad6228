"""What it costs to import a library and to make a client: time and memory."""

from benchmarks.starting.measuring import measure

__all__ = ["measure"]
