"""An application that sends after the response, for tests that start it with a real server."""

from __future__ import annotations

from fastapi import BackgroundTasks, FastAPI

from poststack_fastapi import PostStackDep, lifespan, send_in_background

app = FastAPI(lifespan=lifespan)


@app.post("/")
async def send(tasks: BackgroundTasks, client: PostStackDep) -> str:
    """Send two e-mails, one after the other."""
    key = ""
    for subject in ("First", "Second"):
        key += send_in_background(
            tasks,
            client,
            {"from": "a@example.com", "to": ["ada@example.com"], "subject": subject, "text": "Hello"},
        )
    return key
