"""A FastAPI application under load: requests per second through it, and how long another route waits meanwhile."""
