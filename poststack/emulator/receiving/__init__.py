"""Mail that comes in: read, kept, put into mailboxes, answered and forwarded."""
