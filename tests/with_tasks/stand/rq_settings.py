"""What `rq worker --config` reads: nothing but that everything is loaded before the worker forks for each job."""

from __future__ import annotations

import poststack_tasks.rq
from poststack_tasks.clients import get_client

__all__ = ["SENDING"]

SENDING = poststack_tasks.rq.send_email
get_client(poststack_tasks.current_settings())
