"""Many e-mails, by the calls that are made for them."""

from benchmarks.many.measuring import measure

__all__ = ["measure"]
