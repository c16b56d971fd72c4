"""A cookie of a Pyramid request, whatever else stands in its header.

Law: pure. WebOb reads all cookies as UTF-8 or none; here one of somebody else hides nothing.
"""

import contextlib
from typing import Any

from webob.cookies import parse_cookie

__all__ = ["cookie_of"]


def cookie_of(request: Any, name: str) -> str | None:
    """Return the value of a cookie; None if there is none, or it is no text."""
    with contextlib.suppress(UnicodeDecodeError):
        found: str | None = request.cookies.get(name)
        return found
    cookies = dict(parse_cookie(request.environ["HTTP_COOKIE"]))
    with contextlib.suppress(UnicodeDecodeError):
        return str(cookies.get(name.encode(), b"").decode())
    return None
