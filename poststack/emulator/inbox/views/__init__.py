"""The pages and parts of the inbox: each reads a request, asks the emulator, and picks a template."""
