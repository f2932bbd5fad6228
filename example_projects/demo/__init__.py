"""The demonstrations: an example project sends its mail through PostStack, to the emulator on this machine."""
