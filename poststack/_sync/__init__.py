# Written by tools/unasync.py from poststack/_async/__init__.py. Do not edit.
"""The synchronous client, generated."""
