# Written by tools/unasync.py from tests/client/_async/__init__.py. Do not edit.
"""The synchronous client against the emulator."""
