"""Tornado: a request as the key functions of limits see it."""

from typing import Any

from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from holdfast import Session
from holdfast.ext.tornado.request import TornadoRequest, joined
from holdfast.web.keys import by_address, by_header


class Handler:
    """As much of a handler as is looked at."""

    def __init__(self, request: HTTPServerRequest) -> None:
        self.request = request

    @property
    def session(self) -> Session[Any]:
        raise NotImplementedError


def request(address: str, *lines: tuple[str, str]) -> HTTPServerRequest:
    start = RequestStartLine("POST", "/a/b?c=d", "HTTP/1.1")
    headers = HTTPHeaders({"Host": "shop.example"})
    for name, value in lines:
        headers.add(name, value)
    made = HTTPServerRequest(start_line=start, headers=headers)
    made.remote_ip = address
    return made


def test_several_headers_of_a_name_are_joined() -> None:
    asked = request("::1", ("Cookie", "a=1"), ("X-Key", "a"), ("Cookie", "b=2"), ("X-Key", "b"))
    assert joined(asked, "cookie") == "a=1; b=2"
    assert joined(asked, "x-key") == "a, b"
    assert joined(asked, "x-other") is None


def test_what_a_key_function_sees() -> None:
    seen = TornadoRequest(Handler(request("203.0.113.9", ("X-Key", "a"))))
    assert (seen.method, seen.path, seen.address) == ("POST", "/a/b", "203.0.113.9")
    assert by_address()(seen) == "address:203.0.113.9"
    assert str(by_header("X-Key")(seen)).startswith("header:x-key:")


def test_the_peer_of_a_unix_socket_has_no_address() -> None:
    seen = TornadoRequest(Handler(request("0.0.0.0")))  # noqa: S104
    assert seen.address is None
    assert by_address()(seen) == "address:local"
    forwarded = request("0.0.0.0", ("X-Forwarded-For", "198.51.100.7"))  # noqa: S104
    trusting = by_address(trusted_proxies=["unix"])
    assert trusting(TornadoRequest(Handler(forwarded))) == "address:198.51.100.7"
