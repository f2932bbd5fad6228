"""The project's own tests: pytest, a real Redis, and PostStack's emulator in memory."""
