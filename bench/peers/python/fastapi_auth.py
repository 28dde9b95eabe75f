"""Sign-in as FastAPI and PyJWT do it: the routes of `fastapi_relay`, and three that check a token.

| address | answers |
|---|---|
| `GET /api/chatkit/me` | who the token or secret belongs to |
| `POST /api/chatkit/start` | a client secret, which is a token of our own (HS256) |
| `POST /api/chatkit/refresh` | another one, for the one in the body |

The key set is read once, and a secret is written nowhere, so that it cannot be revoked or be used only once:
both are in its favour.
"""

import json
import os
import time
import urllib.request
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

import fastapi_relay

ISSUER = os.environ["ISSUER"]
AUDIENCE = os.environ["AUDIENCE"]
SECRET = "this secret opens nothing but the benchmark"
LIFETIME = 600

with urllib.request.urlopen(f"{ISSUER}/jwks") as answer:
    KEYS = {key["kid"]: jwt.PyJWK(key).key for key in json.load(answer)["keys"]}

app: FastAPI = fastapi_relay.app


def claims_of_secret(secret: str) -> dict:
    return jwt.decode(secret, SECRET, algorithms=["HS256"])


def claims_of_token(token: str) -> dict:
    key = KEYS.get(jwt.get_unverified_header(token)["kid"])
    if key is None:
        raise jwt.InvalidKeyError("no such key")
    return jwt.decode(token, key, algorithms=["EdDSA"], audience=AUDIENCE, issuer=ISSUER)


def bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise HTTPException(401)
    return token


async def user(authorization: Annotated[str, Header()]) -> dict:
    try:
        return claims_of_token(bearer(authorization))
    except jwt.PyJWTError:
        raise HTTPException(401) from None


async def anybody(authorization: Annotated[str, Header()]) -> dict:
    token = bearer(authorization)
    try:
        return claims_of_secret(token[3:]) if token.startswith("ek_") else claims_of_token(token)
    except jwt.PyJWTError:
        raise HTTPException(401) from None


class Refresh(BaseModel):
    currentClientSecret: str


def issued(subject: str) -> dict:
    expires_at = int(time.time()) + LIFETIME
    secret = jwt.encode({"sub": subject, "exp": expires_at}, SECRET, algorithm="HS256")
    return {"client_secret": f"ek_{secret}", "expires_in": LIFETIME, "expires_at": expires_at}


@app.get("/api/chatkit/me")
async def me(claims: Annotated[dict, Depends(anybody)]):
    return {"user_id": claims["sub"], "expires_at": claims["exp"]}


@app.post("/api/chatkit/start")
async def start(claims: Annotated[dict, Depends(user)]):
    return issued(claims["sub"])


@app.post("/api/chatkit/refresh")
async def refresh(claims: Annotated[dict, Depends(user)], body: Refresh):
    try:
        current = claims_of_secret(body.currentClientSecret[3:])
    except jwt.PyJWTError:
        raise HTTPException(401) from None
    if current["sub"] != claims["sub"]:
        raise HTTPException(401)
    return issued(claims["sub"])
