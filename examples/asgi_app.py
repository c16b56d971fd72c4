"""An ASGI application with a session and a rate limit, on Starlette.

    uvicorn --app-dir examples asgi_app:application --port 8001    # http://localhost:8001

Workers share what stands in the store: `HOLDFAST_STORE`, by default a file of this directory. The
cookie is Secure; Chrome and Firefox take it from http://localhost too.
"""

import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from holdfast import Limiter, Sessions, open_store
from holdfast.web.asgi import LimitMiddleware, SessionMiddleware
from holdfast.web.keys import by_session


async def home(request: Request) -> PlainTextResponse:
    """Count visits."""
    session = request.session
    session["visits"] = session.get("visits", 0) + 1
    return PlainTextResponse(f"This is visit {session['visits']}.\n")


async def forget(request: Request) -> PlainTextResponse:
    """Destroy the session: its record is gone, and so is the cookie."""
    request.scope["session"].destroy()
    return PlainTextResponse("Forgotten.\n")


async def live(websocket: WebSocket) -> None:
    """Say what the session holds; a websocket reads and writes it, but never sets a cookie."""
    await websocket.accept()
    await websocket.send_json(dict(websocket.session))
    await websocket.close()


store = open_store(os.environ.get("HOLDFAST_STORE", "sqlite:///example.db"))
application = Starlette(
    routes=[
        Route("/", home),
        Route("/forget", forget, methods=["POST"]),
        WebSocketRoute("/live", live),
    ],
    middleware=[
        Middleware(SessionMiddleware, sessions=Sessions(store)),
        Middleware(LimitMiddleware, limiter=Limiter(store), rates="60/minute", key=by_session),
    ],
)
