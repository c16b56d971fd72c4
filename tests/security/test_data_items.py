"""Items 44, 45 and 49 of the security list: what is in a session, and what is told of it."""

import asyncio
import logging
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import ormsgpack
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from visited_site import NAME, Place, Site, Visit, everywhere, meanwhile, stored, visiting

from holdfast import CodecError, SessionTooLarge
from holdfast.codec.msgpack import Msgpack
from holdfast.observe.logging import LogObserver
from holdfast.observe.prometheus import PrometheusObserver
from holdfast.observe.several import several
from holdfast.session.data import Record, encode, encode_note
from holdfast.session.token import new_token
from holdfast.testing.calls import Visitor
from holdfast.testing.faults import FaultyStore

visit = pytest.fixture(visiting)

ADA = Msgpack().encode("ada")
RECORD = encode(Record(b"r" * 32, 0, 1_000_000.0, 1_000_000.0, {}, {"name": ADA}, []))
GARBAGE = {
    "nothing": b"",
    "a byte nobody writes": b"\xc1",
    "zeros": bytes(200),
    "another version": b"\x98\x02" + RECORD[2:],
    "half of it": RECORD[: len(RECORD) // 2],
    "all but one byte": RECORD[:-1],
    "a page of a proxy": b"<html>502 Bad Gateway</html>",
    "another program's": ormsgpack.packb({"user": "root"}),
    "a note to nowhere": ormsgpack.packb([1, "../../etc/passwd", 0.0]),
    "a record of other types": ormsgpack.packb([1, b"r", "0", 0, 0, [], {}, {}]),
}


@everywhere
def test_item_44_a_damaged_record_is_a_new_session_and_no_error(visit: Visit, place: Place) -> None:
    site = visit(place)
    assert site.ask(site.planted(RECORD)).body == b"ada", "else all this proves nothing"
    for what, raw in GARBAGE.items():
        site.events.clear()
        visitor = site.visitor()
        visitor.cookies[NAME] = site.planted(raw)
        for _ in range(2):
            answer = visitor.get("/")
            assert (answer.status, answer.body) == (200, b"nobody"), what
            assert site.events, what
            assert set(site.events) == {"session.corrupt"}, what
        assert visitor.get("/logout").status == 200
        assert visitor.get("/write").body == b"ada", what
        assert visitor.get("/").body == b"ada", what


@everywhere
def test_item_44_a_damaged_value_costs_no_other(visit: Visit, place: Place) -> None:
    told: list[tuple[str, object]] = []

    def observe(event: str, fields: Mapping[str, object]) -> None:
        told.append((event, fields.get("name")))

    site = visit(place, observer=observe)
    values = {"name": ADA, "broken": b"\xc1", "empty": b"", "cut": ADA[:-1]}
    raw = encode(Record(b"r" * 32, 0, site.clock(), site.clock(), {}, values, []))
    visitor = site.visitor(lambda session, _path: dict(session))
    visitor.cookies[NAME] = site.planted(raw)
    for _ in range(2):
        told.clear()
        assert visitor.get("/").body == b"{'name': 'ada'}"
        damaged = [name for event, name in told if event == "session.corrupt"]
        assert damaged == ["broken", "empty", "cut"]


@stored
def test_item_44_a_note_that_leads_nowhere_loses_nobody(visit: Visit, place: Place) -> None:
    site = visit(place)
    visitor = site.visitor()
    visitor.cookies[NAME] = site.planted(encode_note("a" * 64, site.clock() + 60))
    assert visitor.get("/").body == b"nobody"
    assert visitor.get("/logout").status == 200
    assert visitor.get("/write").body == b"ada"
    assert visitor.get("/").body == b"ada"


@stored
def test_item_45_two_tabs_lose_nothing_of_each_other(visit: Visit, place: Place) -> None:
    site = visit(place)

    def act(session: Any, who: str) -> None:
        session[who] = session["same"] = who
        session.increment("visits")
        session.append("list", who)
        session.flash(who)

    def slow(session: Any, _path: str) -> object:
        assert session["name"] == "ada"
        meanwhile(lambda: tab.get("/"))
        act(session, "slow")
        return "done"

    visitor = site.writer()
    tab, seen = visitor.twin(), visitor.twin()
    visitor.app = site.visitor(slow).app
    tab.app = site.visitor(lambda session, _path: act(session, "quick")).app
    assert visitor.get("/").body == b"done"
    seen.app = site.visitor(lambda one, _path: f"{sorted(one.items())} {one.peek_flash()}").app
    assert seen.get("/").body.decode() == (
        "[('list', ['quick', 'slow']), ('name', 'ada'), ('quick', 'quick'), ('same', 'slow'),"
        " ('slow', 'slow'), ('visits', 2)] ['quick', 'slow']"
    )


@stored
def test_item_45_what_is_read_once_is_read_by_one_tab(visit: Visit, place: Place) -> None:
    site = visit(place)

    def leave(session: Any, _path: str) -> None:
        session.notify("once", "a notice")
        session.flash("a message")

    visitor = site.visitor(leave)
    visitor.get("/")
    quick = visitor.twin()
    quick.app = _claiming(site, lambda: None).app
    slow = visitor.twin()
    taken: list[bytes] = []
    slow.app = _claiming(site, lambda: taken.append(meanwhile(lambda: quick.get("/").body))).app
    taken.append(slow.get("/").body)
    assert taken == [b"a notice ['a message']", b"None []"]


def _claiming(site: Site, before: Callable[[], object]) -> Visitor:
    """Return a visitor of what loads the session, does `before`, and claims what is there."""

    def view(session: Any, _path: str) -> object:
        assert not session.is_new
        before()
        return f"{session.take('once')} {session.pop_flash()}"

    async def app(fields: Mapping[str, Any], _receive: object, send: Any) -> None:
        session = fields["session"]
        assert not session.is_new
        before()
        said = f"{await session.aio.take('once')} {await session.aio.pop_flash()}"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": said.encode()})

    return site.visitor(view) if site.face == "wsgi" else site.visitor_of(app)


@everywhere
def test_item_49_no_event_has_the_token_in_it(visit: Visit, place: Place) -> None:
    told: list[str] = []

    def observe(event: str, fields: Mapping[str, object]) -> None:
        told.append(f"{event} {dict(fields)}")

    site = visit(place, observer=observe)
    visitor = site.writer()
    tokens = [visitor.cookies[NAME]]
    visitor.get("/", cookie=f"{NAME}={tokens[0]}; {NAME}={tokens[0]}")
    assert "cookie_tossing" in told[-1]
    for path in ("/login", "/rotate", "/", "/write"):
        visitor.get(path)
        tokens.append(visitor.cookies[NAME])
    site.ask(tokens[0])
    visitor.get("/logout")
    assert not [line for line in told for token in tokens if token in line]


@everywhere
def test_item_49_nor_have_logs_measures_errors_and_reprs(
    visit: Visit, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    registry = CollectorRegistry()
    caplog.set_level(logging.DEBUG)
    around: dict[str, Any] = {} if place.kind == "cookie" else {"around": FaultyStore}
    site = visit(place, observer=several(LogObserver(), PrometheusObserver(registry)), **around)
    shown: list[str] = []

    def view(session: Any, path: str) -> object:
        shown.extend((repr(session), str(session), repr(session.aio)))
        assert "name" in session
        shown.extend((repr(session), str(session), f"{session!r} {session.id}"))
        if path == "/unwritable":
            session["card"] = object()
        elif path == "/huge":
            session["card"] = "x" * 5_000_000
        return Site.view(
            session, path if path in ("/write", "/login", "/rotate", "/logout") else "/"
        )

    visitor = site.writer()
    visitor.app = site.visitor(view).app
    tokens = {visitor.cookies[NAME]}

    def fail(path: str, *kinds: type[Exception]) -> None:
        with pytest.raises(kinds) as caught:
            visitor.get(path)
        shown.extend((str(caught.value), repr(caught.value)))
        shown.extend(traceback.format_exception(caught.value))

    for path in ("/login", "/rotate", "/", "/write"):
        visitor.get(path)
        tokens.add(visitor.cookies[NAME])
    fail("/unwritable", CodecError)
    if place.kind == "cookie":
        fail("/huge", SessionTooLarge)
    store = site.sessions.store
    if isinstance(store, FaultyStore):
        with store.fail():
            assert visitor.get("/write").status == 503
    for token in (*tokens, new_token(), "x" * 43):
        site.ask(token)
    outcome = site.sessions.commit(_written(site))
    tokens.add(outcome.token or "")
    visitor.get("/logout")
    shown += [repr(outcome), repr(site.sessions), repr(site.sessions.aio), caplog.text]
    shown.append(generate_latest(registry).decode())
    assert len(caplog.records) > 3
    assert not [text for text in shown for token in tokens if token in text]


def _written(site: Site) -> Any:
    if site.face == "wsgi":
        session = site.sessions.load(None)
    else:
        session = asyncio.run(site.sessions.aio.load(None))
    session["name"] = "ada"
    return session
