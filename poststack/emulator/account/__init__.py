"""What belongs to an account: API keys, sending domains and their DNS."""
