"""Sends through Celery workers: ours, and the task of the guides, on the same broker in the same run."""
