"""Who is counted together: sessions, users, addresses behind proxies, headers."""

from functools import partial
from typing import Any

import pytest

from holdfast import Sessions
from holdfast.errors import ConfigError
from holdfast.testing.calls import environ, scope
from holdfast.web.keys import Key, bucket, by_address, by_header, by_session, by_user
from holdfast.web.request import AsgiRequest, Request, WsgiRequest

PROXIES = ["10.0.0.0/8", "2001:db8:ffff::/48"]


def asked(key: Key, peer: str | None, *headers: tuple[str, str]) -> str | None:
    """Return what `key` says over WSGI, having made sure that ASGI says the same."""
    fields: dict[str, Any] = environ(headers=headers) | {"REMOTE_ADDR": peer or ""}
    over_asgi = scope(headers=headers) | {"client": (peer, 1) if peer else None}
    said = key(WsgiRequest(fields))
    assert key(AsgiRequest(over_asgi)) == said
    return said


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("203.0.113.9", "address:203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "address:2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "address:203.0.113.9"),
        ("fe80::1%eth0", "address:fe80::/64"),
        (None, "address:local"),
        ("testclient", "address:testclient"),
    ],
)
def test_addresses(peer: str | None, expected: str) -> None:
    assert asked(by_address(), peer) == expected
    assert asked(by_address(trusted_proxies=PROXIES), peer) == expected


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", "198.51.100.7", "203.0.113.9"),  # an untrusted peer says what he likes
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "6.6.6.6,198.51.100.7\t,  10.0.0.2 ", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7, garbage", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7, garbage, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "198.51.100.7, ", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8:1:2::5]:4711", "2001:db8:1:2::/64"),
        ("2001:db8:ffff::1", "198.51.100.7", "198.51.100.7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        (None, "198.51.100.7", "local"),
    ],
)
def test_a_forwarded_address_counts_as_far_as_proxies_vouch(
    peer: str | None, forwarded: str, expected: str
) -> None:
    key = by_address(trusted_proxies=PROXIES)
    assert asked(key, peer, ("X-Forwarded-For", forwarded)) == f"address:{expected}"


def test_a_unix_socket_can_be_trusted() -> None:
    key = by_address(trusted_proxies=["unix"])
    assert asked(key, None, ("X-Forwarded-For", "198.51.100.7")) == "address:198.51.100.7"
    assert asked(key, None) == "address:local"
    assert asked(key, "10.0.0.1", ("X-Forwarded-For", "1.2.3.4")) == "address:10.0.0.1"


def test_a_proxy_that_is_no_address_is_refused_at_start() -> None:
    with pytest.raises(ConfigError, match="trusted_proxies"):
        by_address(trusted_proxies=["proxy.example.com"])
    with pytest.raises(ConfigError, match="give a list"):
        by_address(trusted_proxies="10.0.0.0/8")


def test_a_header_is_counted_by_its_hash() -> None:
    key = by_header("X-Api-Key")
    one, other = (
        asked(key, "1.2.3.4", ("X-Api-Key", "a")),
        asked(key, "1.2.3.4", ("x-api-key", "b")),
    )
    assert one is not None
    assert one.startswith("header:x-api-key:")
    assert one != other
    secret = "an-api-key-nobody-may-see"
    assert secret not in str(asked(key, "1.2.3.4", ("X-Api-Key", secret)))
    assert asked(key, "1.2.3.4") == "address:1.2.3.4"
    assert asked(by_header("X-Api-Key", otherwise=lambda _: None), "1.2.3.4") is None


def with_session(token: str | None, sessions: Sessions) -> Request:
    return WsgiRequest(environ() | {"holdfast.session": sessions.load(token)})


def test_sessions_and_users() -> None:
    sessions = Sessions("memory://")
    session = sessions.load(None)
    session["a"] = 1
    token = sessions.commit(session).token
    signed_in = sessions.load(token)
    assert by_session(with_session(token, sessions)) == f"session:{signed_in.id}"
    assert by_user(with_session(token, sessions)) == "address:203.0.113.9"
    signed_in.login("ada")
    token = sessions.commit(signed_in).token
    assert by_user(with_session(token, sessions)) == "user:ada"
    elsewhere: Key = partial(by_user, otherwise=lambda _: "others")
    assert elsewhere(with_session(None, sessions)) == "others"


def test_an_invented_session_is_no_new_bucket() -> None:
    sessions = Sessions("memory://")
    for token in (None, "", "a" * 42 + "A", "b" * 42 + "A"):
        assert by_session(with_session(token, sessions)) == "address:203.0.113.9"


def test_a_key_that_needs_a_session_says_so() -> None:
    for request in (WsgiRequest(environ()), AsgiRequest(scope() | {"session": {}})):
        with pytest.raises(ConfigError, match="SessionMiddleware"):
            by_session(request)


def test_a_key_function_that_was_not_called_is_told_of() -> None:
    assert (bucket("", "k"), bucket("login", "k")) == ("k", "login|k")
    with pytest.raises(ConfigError, match=r"by_address\(\)"):
        bucket("", by_address())


def test_a_request_can_be_asked() -> None:
    headers = [("X-One", "1"), ("X-One", "2"), ("Content-Type", "text/plain")]
    over_asgi = AsgiRequest(scope("/x", method="POST", headers=headers))
    over_wsgi = WsgiRequest(environ("/x", method="POST") | {"CONTENT_TYPE": "text/plain"})
    for request in (over_asgi, over_wsgi):
        assert (request.method, request.path) == ("POST", "/x")
        assert request.header("content-type") == "text/plain"
        assert request.header("X-Two") is None
    assert over_asgi.header("x-one") == "1, 2"
    assert AsgiRequest(scope(kind="websocket")).method == "GET"
