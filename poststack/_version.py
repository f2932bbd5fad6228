"""The one place that knows the version."""

__version__ = "0.10.0"
