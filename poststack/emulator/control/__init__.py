"""`/_emulator/…`: what the API does not have and development needs, as JSON."""
