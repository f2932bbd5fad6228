"""The application against the emulator in memory: no socket, no waiting."""
