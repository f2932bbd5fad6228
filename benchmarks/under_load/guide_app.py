"""What PostStack's guide for FastAPI shows, on the published SDK; besides, it is told where the API is."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel, EmailStr

from poststack import AsyncPostStack


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Open the client for as long as the application runs."""
    async with AsyncPostStack(api_key=os.environ["POSTSTACK_API_KEY"], base_url=os.environ["POSTSTACK_BASE_URL"]) as ps:
        app.state.poststack = ps
        yield


app = FastAPI(lifespan=lifespan)


def get_poststack(request: Request) -> AsyncPostStack:
    """Return the client."""
    return request.app.state.poststack  # type: ignore[no-any-return]


class SignupBody(BaseModel):
    """Who signs up."""

    email: EmailStr
    name: str


@app.post("/signup")
async def signup(body: SignupBody, ps: AsyncPostStack = Depends(get_poststack)) -> dict[str, Any]:  # noqa: B008  # theirs
    """Send one e-mail."""
    result = await ps.emails.send(
        {
            "from": "hello@yourdomain.com",
            "to": [body.email],
            "subject": "Welcome to Acme",
            "html": f"<h1>Welcome, {body.name}!</h1>",
        }
    )
    return {"ok": True, "email_id": result["id"]}


@app.get("/health")
async def health() -> dict[str, bool]:
    """Answer at once."""
    return {"ok": True}
