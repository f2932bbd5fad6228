"""The asynchronous client, and the source of the synchronous one: `tools/unasync.py` writes `_sync` from it."""
