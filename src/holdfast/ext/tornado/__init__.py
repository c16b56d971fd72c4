"""Tornado: `self.session`, `self.notifications` and `await self.limit(...)` of a request handler.

`handler.py` has the mixin, `reply.py` holds a response back until its session is committed,
`sockets.py` ends a websocket with its session,
`request.py` shows a request to the key functions of `holdfast.web.keys`.
"""

from holdfast.ext.tornado.handler import Limited, Notifications, SessionMixin

__all__ = ["Limited", "Notifications", "SessionMixin"]
