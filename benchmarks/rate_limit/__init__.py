"""Several processes that share the rate limit of one key."""

from benchmarks.rate_limit.report import measure

__all__ = ["measure"]
