# Written by tools/unasync.py from tests/client/_async/__init__.py. Do not edit.
