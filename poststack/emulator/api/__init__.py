"""The routes of the PostStack API that the emulator serves: one module per group."""
