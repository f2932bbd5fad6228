"""The asynchronous client against the emulator."""
