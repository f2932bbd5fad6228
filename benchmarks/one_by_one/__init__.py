"""One e-mail a call: every library, one call after another and several at a time."""

from benchmarks.one_by_one.measuring import measure

__all__ = ["measure"]
