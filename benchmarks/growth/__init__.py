"""How cost grows with the number of e-mails, with their size, and with how many are in flight."""

from benchmarks.growth.report import measure

__all__ = ["measure"]
