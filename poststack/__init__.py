"""Typed client for the PostStack e-mail API."""
