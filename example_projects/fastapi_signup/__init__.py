"""A sign-up on FastAPI: two letters, sent once each, and a page that shows live what becomes of them."""
