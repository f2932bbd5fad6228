"""Telling others of events: webhooks and chats, attempt by attempt."""
