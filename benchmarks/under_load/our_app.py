"""The same application with `poststack_fastapi`."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, EmailStr

from poststack_fastapi import PostStackDep, lifespan

app = FastAPI(lifespan=lifespan)


class SignupBody(BaseModel):
    """Who signs up."""

    email: EmailStr
    name: str


@app.post("/signup")
async def signup(body: SignupBody, poststack: PostStackDep) -> dict[str, Any]:
    """Send one e-mail."""
    result = await poststack.emails.send(
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
