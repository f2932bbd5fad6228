"""Real brokers, workers and the API, each in a process of its own, to be killed at chosen moments.

What a test does with them is in `tests/with_tasks/kills`; `make storm` uses them, too.
"""
