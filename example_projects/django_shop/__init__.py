"""Kettle & Leaf: a small tea shop on Django that sends its mail through PostStack."""
