"""The applications that two workers serve in `test_two_workers.py`: Holdfast's own, for the races.

Law: whoever waits at the gate blocks his worker, also its event loop: whatever else is asked, the
other worker answers.
"""

import os
from typing import Any
from urllib.parse import parse_qsl, urlencode
from urllib.request import urlopen

from holdfast import Sessions, open_store
from holdfast.testing.races.site import asgi_site, wsgi_site
from holdfast.web import asgi, wsgi

sessions = Sessions(open_store(os.environ["HOLDFAST_RACE_URL"], timeout=20))


async def blocking(scope: Any, receive: Any, send: Any) -> None:
    """Wait with the whole worker, the session being loaded, and go on as `asgi_site`."""
    names = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
    if gate := names.pop("wait", None):
        urlopen(gate).close()  # noqa: ASYNC210, S310 - that it blocks is the point
    await asgi_site({**scope, "query_string": urlencode(names).encode()}, receive, send)


over_wsgi = wsgi.SessionMiddleware(wsgi_site, sessions)
over_asgi = asgi.SessionMiddleware(blocking, sessions)
