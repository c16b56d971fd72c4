"""Laws of what else a request says of its session: the token's own header, and CSRF evidence."""

import re

from fuzz.cookies import TOKEN
from fuzz.edits import octets
from holdfast.session import csrf
from holdfast.testing.calls import environ
from holdfast.web.csrf import Guarding, token_in
from holdfast.web.request import WsgiRequest
from holdfast.web.token_header import Header
from holdfast.web.transport import NOTHING

__all__ = ["BODIES", "FIELDS", "bodies", "fields"]

HEADER = Header()
MASKED = csrf.mask(csrf.new_secret())
GUARD = Guarding(object(), trusted_origins=["https://admin.example.com"])
FIELDS = [
    text.encode("latin-1")
    for text in (
        TOKEN,
        f" \t{TOKEN}\t",
        f"{TOKEN},{TOKEN}",
        "a b",
        "https://test.example\nsame-origin\ntest.example",
        "https://test.example:443\n\ntest.example:443",
        "HTTPS://ADMIN.example.com\ncross-site\n[::1]:80",
        "null\nnone\n",
    )
]
PART = '--x\r\nContent-Disposition: form-data; name="csrf_token"'
BODIES = [
    f"a=b&csrf_token={MASKED}&c=d".encode(),
    f"{PART}\r\nA: b\r\n\r\n{MASKED}\r\n".encode(),
    f"csrf_token={MASKED}".encode(),
]


def fields(data: bytes) -> None:
    """Assert it of single headers: a token is whole, and only our own origin is ours."""
    text = octets(data)
    token, names, event = HEADER.read(text)
    assert names == ()
    if token is None:
        assert event == ("header_repeated" if "," in text else NOTHING[2])
    else:
        assert (token, event) == (text.strip(" \t"), "")
        assert HEADER.write(token[:43]) == [(HEADER.name, token[:43])]
    origin, site, host = [*text.split("\n"), "", ""][:3]
    sent = [("Origin", origin), ("Sec-Fetch-Site", site), ("Host", host)]
    request = WsgiRequest(environ("/", method="POST", headers=sent))
    for scheme in ("http", "https"):
        ours = GUARD.comes_from_us(request, scheme)
        assert not (ours and site == "cross-site") or "admin.example.com" in origin.lower()
        if ours and origin and not site:
            place = origin.lower().removesuffix(":443").removesuffix(":80").partition("://")[2]
            assert place in host.lower() or place == "admin.example.com"


def bodies(data: bytes) -> None:
    """Assert that a form's token is found only where a field of that name begins."""
    found = token_in(data)
    if found is not None:
        assert re.search(rb"(?i)csrf_token\"?[^A-Z]", data)
        assert found.encode() in data
        assert len(found) == 86
