"""Items 31 to 40 of the security list: what is sealed, and what a store shows."""

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any

import pytest
from visited_site import (
    NAME,
    Place,
    Site,
    Visit,
    everywhere,
    in_cookie,
    meanwhile,
    stored,
    visiting,
)

from holdfast import ConfigError, Cookie, Sessions
from holdfast.codec.seal import Seal
from holdfast.codec.text import from_text, to_text
from holdfast.session.data import Record, encode
from holdfast.session.policy import SKEW
from holdfast.session.sealed import pad
from holdfast.session.token import id_of, new_token
from holdfast.signing import Key, KeyRing
from holdfast.testing.calls import Visitor

visit = pytest.fixture(visiting)

MINUTE, HOUR = 60, 3600
KEY_ID = slice(1, 7)
SALT = slice(7, 31)


def who(session: Any, path: str) -> object:
    """Say who is signed in and what is known of him."""
    if path == "/login":
        session.login("ada")
        session["name"] = "ada"
    return f"{session.user} {dict(session)}"


ADA, NOBODY = b"ada {'name': 'ada'}", b"None {}"


class Box:
    """The sealed bytes of one session: its cookie, or its row in the store."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.visitor = site.visitor(who)
        assert self.visitor.get("/login").body == ADA
        self.raw = self.read()

    @property
    def key(self) -> str:
        return f"s:{id_of(self.visitor.cookies[NAME])}"

    def read(self) -> bytes:
        store = self.site.sessions.store
        if store is None:
            return from_text(self.visitor.cookies[NAME])
        return store.get(self.key) or b""

    def seen_as(self, raw: bytes, site: Site | None = None) -> bytes:
        """Return what a site (this one) makes of other bytes in place of these."""
        site = site or self.site
        if site.sessions.store is not None:
            site.sessions.store.put(self.key, raw)
            return site.visitor(who).get(cookie=f"{NAME}={self.visitor.cookies[NAME]}").body
        return site.visitor(who).get(cookie=f"{NAME}={to_text(raw)}").body


@everywhere
def test_item_31_each_byte_of_what_is_sealed_counts(visit: Visit, place: Place) -> None:
    site = visit(place, secrets=secrets.token_bytes(32))
    box = Box(site)
    raw = box.raw
    near = place.kind in ("memory", "cookie")
    for at in range(0, len(raw), 1 if near else 9):
        for bit in (1, 128) if near else (1,):
            changed = bytes([*raw[:at], raw[at] ^ bit, *raw[at + 1 :]])
            assert box.seen_as(changed) == NOBODY, (at, bit)
    for other in (raw[:-1], raw[:46], raw[:7], raw + b"\0", raw[1:], raw * 2, b"\x01"):
        assert box.seen_as(other) == NOBODY
    assert box.seen_as(raw) == ADA


@everywhere
def test_item_31_nothing_is_sealed_twice_alike(visit: Visit, place: Place) -> None:
    site = visit(place, secrets=secrets.token_bytes(32))
    sealed = [Box(site).raw for _ in range(8)]
    for raw in sealed:
        assert b"name" not in raw
    assert len({raw[SALT] for raw in sealed}) == len(sealed), "a nonce that comes back"


@in_cookie
def test_item_32_what_was_sealed_for_something_else_is_no_session(
    visit: Visit, place: Place
) -> None:
    secret = secrets.token_bytes(32)
    ring = KeyRing(secret)
    site = visit(place, secrets=secret)
    box = Box(site)
    plain = Seal(ring, "session").unseal(box.raw, NAME)
    assert box.seen_as(Seal(ring, "session").seal(plain, NAME)) == ADA
    for purpose in ("csrf", "session record", "store", "ring", "sessions", ""):
        assert box.seen_as(Seal(ring, purpose).seal(plain, NAME)) == NOBODY, purpose
    for bound in ("__Host-other", "__Secure-sid", "sid", ""):
        assert box.seen_as(Seal(ring, "session").seal(plain, bound)) == NOBODY, bound
    assert box.seen_as(ring.sign(plain, "session")) == NOBODY
    other = visit(place, secrets=secret, transport=Cookie("other"))
    token = box.visitor.cookies[NAME]
    assert other.visitor(who).get(cookie=f"__Host-other={token}").body == NOBODY
    assert box.seen_as(box.raw, visit(place)) == NOBODY, "of another application"
    csrf = site.visitor(lambda session, _: session.csrf_token()).get("/").body.decode()
    assert site.visitor(who).get(cookie=f"{NAME}={csrf}").body == NOBODY
    assert box.seen_as(Box(visit(Place("memory", place.face), secrets=secret)).raw) == NOBODY


@everywhere
def test_item_33_what_is_not_sealed_is_read_by_nobody(visit: Visit, place: Place) -> None:
    site = visit(place, secrets=secrets.token_bytes(32))
    box, now = Box(site), site.clock()
    root = Record(b"r" * 32, 1, now, now, {"user": "root", "login": now}, {}, [])
    mine = json.dumps({"user": "root", "_user": "root"}).encode()
    for plain in (encode(root), pad(encode(root)), mine, b'{"user":"root"}.', b"\x01" + mine):
        assert box.seen_as(plain) == NOBODY
    assert set(site.events) & {"session.rejected", "session.corrupt"}


@everywhere
def test_item_34_the_head_of_a_seal_selects_and_decides_nothing(visit: Visit, place: Place) -> None:
    new, old, leaked = (secrets.token_bytes(32) for _ in range(3))
    ring = KeyRing([new, old, Key(leaked, revoked=True)])
    site = visit(place, secrets=ring)
    box = Box(site)
    raw = box.raw
    assert raw[:1] == b"\x01"
    for version in (0, 2, 3, 16, 127, 128, 255):
        assert box.seen_as(bytes([version]) + raw[1:]) == NOBODY, version
    known = [key.id for key in ring.keys]
    assert raw[KEY_ID] == known[0]
    for key_id in (*known[1:], b"\0" * 6, b"\xff" * 6, secrets.token_bytes(6)):
        assert box.seen_as(raw[:1] + key_id + raw[7:]) == NOBODY, key_id
    assert box.seen_as(raw) == ADA
    if place.kind == "cookie":
        claims = base64.urlsafe_b64encode(b'{"user":"root"}').decode().rstrip("=")
        for head in (b'{"alg":"none"}', b'{"alg":"none","typ":"JWT"}', b'{"alg":"HS256"}'):
            alg = base64.urlsafe_b64encode(head).decode().rstrip("=")
            for token in (f"{alg}.{claims}.", f"{alg}.{claims}.{'A' * 43}", f"{alg}{claims}"):
                assert site.visitor(who).get(cookie=f"{NAME}={token}").body == NOBODY


@everywhere
def test_item_35_keys_change_and_only_a_revoked_one_signs_out(visit: Visit, place: Place) -> None:
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    before = visit(place, secrets=old)
    box = Box(before)
    token, raw = box.visitor.cookies[NAME], box.raw
    both = visit(place, secrets=[new, old], beside=before)
    only = visit(place, secrets=new, beside=before)
    leaked = visit(place, secrets=KeyRing([new, Key(old, revoked=True)]), beside=before)
    for site in (only, leaked):
        assert box.seen_as(raw, site) == NOBODY
    box.visitor.app = both.visitor(who).app
    answer = box.visitor.get("/")
    assert answer.body == ADA
    assert len(answer.all("set-cookie")) == (place.kind == "cookie"), "it is sent anew"
    box.visitor.get("/login")
    assert box.read()[KEY_ID] == Key(new).id
    assert box.seen_as(box.read(), only) == ADA
    assert only.visitor(who).get(cookie=f"{NAME}={token}").body == NOBODY


@everywhere
def test_item_35_a_key_that_waits_reads_and_does_not_sign(visit: Visit, place: Place) -> None:
    now, later = secrets.token_bytes(32), secrets.token_bytes(32)
    first = visit(place, secrets=now)
    clock = first.clock
    waits = [Key(later, activates=clock() + HOUR), Key(now)]
    site = visit(place, secrets=KeyRing(waits, clock=clock), beside=first)
    ahead = visit(place, secrets=later, beside=first)
    assert Box(site).raw[KEY_ID] == Key(now).id
    theirs = Box(ahead)
    assert theirs.raw[KEY_ID] == Key(later).id
    assert theirs.seen_as(theirs.raw, site) == ADA
    clock.advance(HOUR)
    assert Box(site).raw[KEY_ID] == Key(later).id


def test_item_36_weak_secrets_refuse_to_start() -> None:
    weak: list[Any] = [
        "secret",
        "changeme",
        b"",
        secrets.token_bytes(31),
        "x" * 64,
        bytes(range(32)),
        "change-this-secret-key-in-production",
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        base64.b64encode(b"changeme" * 8).decode(),
    ]
    for secret in weak:
        for start in (
            lambda weak: Sessions("memory://", secrets=weak),
            lambda weak: Sessions("memory://", secrets=[secrets.token_bytes(32), weak]),
            Sessions.in_cookie,
            KeyRing,
        ):
            with pytest.raises(ConfigError) as caught:
                start(secret)
            shown = secret if isinstance(secret, str) else repr(secret)
            assert len(secret) < 8 or shown not in str(caught.value)


@stored
def test_item_37_a_token_is_looked_up_by_its_hash(visit: Visit, place: Place) -> None:
    site = visit(place)
    for _ in range(3):
        token = site.writer().cookies[NAME]
        hashed = hashlib.sha256(token.encode()).hexdigest()
        assert f"s:{hashed}" in site.rows()
        assert not [key for key in site.rows() if token[:12] in key]
        assert site.ask(hashed).body == b"nobody"


@everywhere
def test_item_37_macs_are_compared_in_constant_time(
    visit: Visit, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def view(session: Any, path: str) -> object:
        return str(session.check_csrf(path[1:])) if path != "/" else session.csrf_token()

    visitor, ring = visit(place).visitor(view), KeyRing(secrets.token_bytes(32))
    token, signed = visitor.get("/").body.decode(), ring.sign(b"ada", "item 37")
    assert visitor.get(f"/{token}").body == b"True"
    assert ring.verify(signed, "item 37") == b"ada"
    compared: list[int] = []

    def differ(left: bytes, right: bytes) -> bool:
        compared.append(len(left) + len(right))
        return False

    monkeypatch.setattr(hmac, "compare_digest", differ)
    assert visitor.get(f"/{token}").body == b"False"
    assert ring.verify(signed, "item 37") is None
    assert compared == [64, 64]


@in_cookie
def test_item_38_times_are_under_the_seal_and_the_future_is_not_believed(
    visit: Visit, place: Place
) -> None:
    secret = secrets.token_bytes(32)
    ahead = visit(place, secrets=secret)
    for seconds, said in ((SKEW, ADA), (SKEW + 1, NOBODY), (HOUR, NOBODY)):
        site = visit(place, secrets=secret)
        site.clock.advance(-seconds)
        box = Box(ahead)
        assert box.seen_as(box.raw, site) == said, seconds
    seal = Seal(KeyRing(secret), "session")
    box, now = Box(ahead), ahead.clock()
    for created, seen, said in (
        (now, now, b"ada {}"),
        (now - 12 * HOUR, now, NOBODY),
        (now - HOUR, now - 31 * MINUTE, NOBODY),
        (now + HOUR, now, NOBODY),
        (now, now + HOUR, NOBODY),
        (float("inf"), now, NOBODY),
        (now, float("nan"), NOBODY),
    ):
        record = Record(b"r" * 32, 0, created, seen, {"user": "ada"}, {}, [])
        assert box.seen_as(seal.seal(pad(encode(record)), NAME)) == said, (created - now, seen)


@in_cookie
def test_item_39_without_a_store_a_copied_cookie_is_good_until_it_is_over(
    visit: Visit, place: Place
) -> None:
    """As `Sessions.in_cookie` says; whoever cannot live with it gives it `revocations`."""
    site = visit(place)
    visitor = site.writer()
    copied = visitor.cookies[NAME]
    assert "Max-Age=0" in visitor.get("/logout").all("set-cookie")[0]
    assert site.ask(copied).body == b"ada"
    site.clock.advance(31 * MINUTE)
    assert site.ask(copied).body == b"nobody"


@stored
def test_item_39_with_a_store_of_revocations_a_logout_holds(visit: Visit, place: Place) -> None:
    if place.kind == "memcached":  # it may forget who was signed out
        with pytest.raises(ConfigError, match="revocations"):
            visit(place, revocable=True)
        return
    site = visit(place, revocable=True)
    for verb in ("logout", "rotate", "login"):
        visitor = site.writer()
        copied = visitor.cookies[NAME]
        assert visitor.get(f"/{verb}").status == 200
        assert site.ask(copied).body == b"nobody", verb
    visitors = [_signed_in(site) for _ in range(2)]
    meanwhile(lambda: site.sessions.revoke("ada"))
    assert [visitor.get("/").body for visitor in visitors] == [b"nobody"] * 2
    assert _signed_in(site).get("/").body == b"ada"
    visitor = site.writer()
    slow = visitor.twin()

    def view(session: Any, _path: str) -> object:
        session["late"] = True
        return f"logout: {meanwhile(lambda: visitor.get('/logout')).status}"

    slow.app = site.visitor(view).app
    assert slow.get("/").body == b"logout: 200"
    assert site.ask(slow.cookies[NAME]).body == b"nobody", "the cookie of a late request"


def _signed_in(site: Site) -> Visitor:
    visitor = site.writer()
    assert visitor.get("/login").status == 200
    return visitor


@stored
def test_item_40_nothing_in_a_store_is_good_for_a_cookie(visit: Visit, place: Place) -> None:
    for sealed in (None, secrets.token_bytes(32)):
        site = visit(place, secrets=sealed)
        visitors = [_signed_in(site) for _ in range(2)]
        visitors[0].get("/rotate")
        rows = site.rows()
        assert len(rows) >= 2
        tried = {key.partition(":")[2] for key in rows} | set(rows)
        for raw in rows.values():
            text = raw.decode("latin-1")
            tried |= {to_text(raw), base64.b64encode(raw).decode(), raw.hex()}
            tried |= {text[at : at + 43] for at in range(len(text))}
        well_formed = {one for one in tried if id_of(one) is not None}
        for one in well_formed | rows.keys():
            assert site.ask(one).body == b"nobody"
        dumped = b"".join(key.encode() + raw for key, raw in rows.items())
        assert not [one for one in visitors if one.cookies[NAME].encode() in dumped]
        assert (b"name" in dumped) == (sealed is None)


@stored
def test_item_40_a_sealed_row_is_good_in_its_own_place_only(visit: Visit, place: Place) -> None:
    site = visit(place, secrets=secrets.token_bytes(32))
    store = site.sessions.store
    assert store is not None
    ada, eve = _signed_in(site), _signed_in(site)
    ours, theirs = (f"s:{id_of(one.cookies[NAME])}" for one in (ada, eve))
    one, other = store.get(ours) or b"", store.get(theirs) or b""
    store.put(ours, other)
    store.put(theirs, one)
    assert [visitor.get("/").body for visitor in (ada, eve)] == [b"nobody"] * 2
    planted = new_token()
    store.put(f"s:{id_of(planted)}", one)
    assert site.ask(planted).body == b"nobody", "a row that somebody copied to a token of his own"
    store.put(ours, one)
    assert ada.get("/").body == b"ada"
