"""The example application: sessions, a cached value and a rate limit on one SQLite file.

    holdfast demo        # or, in this folder: HOLDFAST_DEMO_DB=demo.db uvicorn demo:app

Read it from the bottom: the routes, then the pages, then how they are drawn.
"""

import asyncio
import math
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote
from warnings import catch_warnings, simplefilter

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from holdfast import Cache, Cookie, Decision, Limiter, Session, Sessions, open_store
from holdfast.session import SessionInfo
from holdfast.web.asgi import SessionMiddleware

Endpoint = Callable[[Request], Awaitable[Response]]
Form = dict[str, str]

HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast"
DATABASE = Path(os.environ.get("HOLDFAST_DEMO_DB") or HOME / "demo.db").absolute()
DATABASE.parent.mkdir(parents=True, exist_ok=True)

IDLE = 30 * 60  # seconds
store = open_store(f"sqlite:///{quote(str(DATABASE))}")
with catch_warnings():
    simplefilter("ignore")  # the demo speaks plain http, to this machine only
    cookie = Cookie("demo", insecure=True)
sessions = Sessions(store, idle_timeout=IDLE, lifetime="12h", transport=cookie)
cache = Cache(store, near=False)  # several workers: each asks the store, so all see one report
limiter = Limiter(store)

BELL = "5/minute"
DAYS = 30
GOODS = ("Tea", "Rope", "Lantern", "Biscuits", "Compass")
HARBOURS = ("Aberdeen", "Bergen", "Cuxhaven", "Dieppe", "Esbjerg")


@cache.cached(ttl="10m", key="report")
async def report() -> dict[str, Any]:
    """Count ships: the slow work that is worth keeping."""
    started = time.perf_counter()
    await asyncio.sleep(2)
    ships = {harbour: random.randint(12, 96) for harbour in HARBOURS}  # noqa: S311 - ships
    took = time.perf_counter() - started
    return {"ships": ships, "took": took, "at": time.time(), "worker": os.getpid()}


# Pages


async def account(request: Request) -> Response:
    """Who is signed in; what signing in does to the session."""
    session = session_of(request)
    before = await session.aio.take("before")
    moved = ""
    if before:
        moved = f"""<section class="card"><h2>The session has moved</h2><dl>
            <dt>Handle before</dt><dd><code id="before"><del>{before[:24]}…</del></code></dd>
            <dt>Handle after</dt><dd><code id="after">{session.id[:24]}…</code></dd></dl>
            <p class="dim">The old token is dead: whoever else may have known it is left outside.
            The cart came along when you signed in, and was forgotten when you signed out.</p>
            </section>"""
    if session.user is None:
        form = f"""<form method="post" action="/sign-in">{hidden(session)}
            <label for="name">Your name</label>
            <div class="row"><input id="name" name="name" required maxlength="40"
            autocomplete="nickname" placeholder="Ann"><button>Sign in</button></div>
            <label class="check"><input type="checkbox" name="remember" value="1">
            stay signed in for {DAYS} days, also when the browser closes</label></form>
            <p class="dim">No password: this is about what happens to the session.</p>"""
        devices = ""
    else:
        devices = await signed_in_where(session, session.user)
        form = f"""<p>You are signed in as <b id="user">{escape(str(session.user))}</b>,
            on this and on every worker, also after a restart.</p>
            <form method="post" action="/sign-out">{hidden(session)}
            <button class="quiet">Sign out</button></form>"""
    unless = "if nobody uses it" if session.expires - session.seen <= IDLE else "used or not"
    facts = f"""<dl><dt>Handle</dt><dd><code id="handle">{session.id[:24]}…</code></dd>
        <dt>Began</dt><dd>{clock(session.created)}</dd>
        <dt>Over at</dt><dd>{clock(session.expires)}, {unless}</dd></dl>
        <p class="dim">The handle is a hash of the token in your cookie. It is all the store and
        the log ever see.</p>"""
    body = f"""{moved}<section class="card">{form}</section>{devices}
        <section class="card"><h2>This session</h2>{facts}</section>"""
    return await page(request, "Account", "Sign in, and watch the session change its token.", body)


async def signed_in_where(session: Session, user: str | int) -> str:
    """Draw the sessions of a user, each with a button that ends it."""
    rows, others = "", 0
    for info in await sessions.aio.of(user):
        here = info.id == session.id
        others += not here
        name = escape(info.label or "somewhere")
        end = (
            '<span class="dim">this one</span>'
            if here
            else f'<button class="quiet" {ends(info)}>End</button>'
        )
        rows += f"""<li><span>{name}<br><small class="dim">since {clock(info.created)},
            over at {clock(info.expires)}</small></span>{end}</li>"""
    everywhere = """<p><button name="others" value="1">End all others</button></p>
        <p class="dim">One call, <code>sessions.revoke(user, keep=session)</code>. Whoever sits
        there is nobody at the next click, and so is a request that is under way.</p>"""
    alone = """<p class="dim">Sign in with the same name in another browser, or in a private
        window, and it is listed here.</p>"""
    return f"""<section class="card"><h2>Where you are signed in</h2>
        <form method="post" action="/sessions">{hidden(session)}
        <ul class="list" id="sessions">{rows}</ul>{everywhere if others else alone}</form>
        </section>"""


def ends(info: SessionInfo) -> str:
    """Return what makes a button end that session."""
    return f'name="end" value="{info.id}" aria-label="End {escape(info.label or "that one")}"'


async def end_sessions(request: Request, form: Form) -> Response:
    """End one session of this user, or all but this one."""
    session = session_of(request)
    if session.user is None:
        session.flash("You are not signed in any more.")
    elif form.get("others"):
        ended = await sessions.aio.revoke(session.user, keep=session)
        session.flash(f"Sessions that were ended: {ended}.")
    elif form.get("end") in {info.id for info in await sessions.aio.of(session.user)}:
        await sessions.aio.destroy(form["end"])
        session.flash("That session was ended.")
    return RedirectResponse("/", HTTPStatus.SEE_OTHER)


async def sign_in(request: Request, form: Form) -> Response:
    """Sign in with a name; the session gets a new token."""
    session = session_of(request)
    name = " ".join(form.get("name", "").split())[:40]
    if not name:
        session.flash("A name, please.")
    else:
        session.notify("before", session.id)
        session.login(name, label=device(request.headers.get("user-agent", "")))
        if form.get("remember"):
            session.remember(f"{DAYS}d")
        session.flash(f"Welcome, {name}.")
    return RedirectResponse("/", HTTPStatus.SEE_OTHER)


async def sign_out(request: Request, _form: Form) -> Response:
    """Forget the session; what is written afterwards is in a new one."""
    session = session_of(request)
    before = session.id
    session.logout()
    session.notify("before", before)
    session.flash("You are signed out.")
    return RedirectResponse("/", HTTPStatus.SEE_OTHER)


async def cart(request: Request) -> Response:
    """What is in the cart, and the goods."""
    session = session_of(request)
    counts = Counter(session.get("cart", []))
    rows = "".join(
        f"<li><span>{escape(item)}</span><b>{count}</b></li>" for item, count in counts.items()
    )
    goods = "".join(f'<button name="item" value="{item}">{item}</button>' for item in GOODS)
    empty = f"""<form method="post" action="/cart">{hidden(session)}
        <button class="quiet" name="empty" value="1">Empty the cart</button></form>"""
    body = f"""<section class="card"><form method="post" action="/cart">{hidden(session)}
        <fieldset><legend>Put into the cart</legend><div class="row">{goods}</div></fieldset>
        <label class="check"><input type="checkbox" name="slow" value="1">
        take three seconds over it, to click in another tab meanwhile</label></form></section>
        <section class="card"><h2>In the cart: <span id="count">{counts.total()}</span></h2>
        {f'<ul class="list">{rows}</ul>{empty}' if rows else '<p class="dim">Nothing yet.</p>'}
        </section><p><a href="/cart" target="_blank" rel="noopener">Open a second tab</a>, and add
        in both at once. Both count, on whichever worker they arrive:
        <code>session.append("cart", item)</code> is repeated on what the other tab wrote.</p>"""
    return await page(request, "Cart", "Kept in the session, from as many tabs as you like.", body)


async def add(request: Request, form: Form) -> Response:
    """Append to the cart, slowly if asked, or empty it."""
    session = session_of(request)
    if form.get("empty"):
        session.pop("cart", None)
    elif form.get("item") in GOODS:
        session.append("cart", form["item"])
        if form.get("slow"):
            await asyncio.sleep(3)  # the session was loaded before this, and is committed after it
    return RedirectResponse("/cart", HTTPStatus.SEE_OTHER)


async def show_report(request: Request) -> Response:
    """The report, if it is in the cache, and how long that took."""
    session = session_of(request)
    started = time.perf_counter()
    found = await report.peek()
    read = time.perf_counter() - started
    if found is None:
        body = f"""<section class="card"><p>There is no report. Making it takes two seconds; then
            everybody gets it from the cache.</p><form method="post" action="/report">
            {hidden(session)}<button>Make the report</button></form></section>"""
    else:
        bars = "".join(
            f'<li><span>{harbour}</span><i style="width:{ships}%"></i><b>{ships}</b></li>'
            for harbour, ships in found["ships"].items()
        )
        body = f"""<section class="pair"><div class="card"><h2>Made</h2>
            <p class="figure">{found["took"] * 1000:,.0f} <small>ms</small></p>
            <p class="dim">{clock(found["at"])}, worker {found["worker"]}</p></div>
            <div class="card"><h2>Read from the cache</h2>
            <p class="figure" id="read">{read * 1000:.2f} <small>ms</small></p>
            <p class="dim">{found["took"] / read:,.0f} times sooner, worker {os.getpid()}</p></div>
            </section><section class="card"><h2>Ships by harbour</h2>
            <ul class="list bars" id="ships">{bars}</ul>
            <form method="post" action="/report/invalidate">{hidden(session)}
            <button class="quiet">Invalidate it</button></form></section>"""
    return await page(request, "Report", "Two seconds of work, done once for everybody.", body)


async def make_report(_request: Request, _form: Form) -> Response:
    """Make the report, or wait for the one somebody else is making."""
    await report()
    return RedirectResponse("/report", HTTPStatus.SEE_OTHER)


async def invalidate(request: Request, _form: Form) -> Response:
    """Forget the report; one that is being made right now is not kept either."""
    await report.invalidate()
    session_of(request).flash("The report is forgotten, for every worker.")
    return RedirectResponse("/report", HTTPStatus.SEE_OTHER)


async def show_bell(request: Request) -> Response:
    """How often the bell may still be rung."""
    return await bell_page(request, await limiter.aio.peek(bell_key(request), BELL))


async def ring(request: Request, _form: Form) -> Response:
    """Ring the bell, or say when it may be rung again."""
    decision = await limiter.aio.hit(bell_key(request), BELL)
    if not decision.allowed:
        answer = await bell_page(request, decision)
        answer.status_code = HTTPStatus.TOO_MANY_REQUESTS
        answer.headers["Retry-After"] = str(math.ceil(decision.retry_after))
        return answer
    session_of(request).flash("Ding!")
    return RedirectResponse("/bell", HTTPStatus.SEE_OTHER)


async def bell_page(request: Request, decision: Decision) -> HTMLResponse:
    """Draw the bell: what remains, and when to try again."""
    left = decision.remaining
    dots = "".join(f'<i class="{"on" if dot < left else ""}"></i>' for dot in range(decision.limit))
    wait = math.ceil(decision.retry_after)
    says = f"""<div class="warn" role="alert"><b>Enough for now.</b> Try again in
        <span id="retry">{wait} s</span>.<i class="bar" style="animation-duration:{wait}s"></i>
        </div>"""
    body = f"""<section class="card center"><div class="dots" role="img"
        aria-label="{left} of {decision.limit} left">{dots}</div>
        <p><b id="left">{left}</b> of {decision.limit} left;
        all are back in {decision.reset_after:.0f} s</p>{says if wait else ""}
        <form method="post" action="/bell">{hidden(session_of(request))}<button>Ring the bell
        </button></form></section><p>The limit is <code>{BELL}</code> for your address. You may ring
        five times at once; then one ring comes back each twelve seconds. A ring that is refused
        costs nothing.</p>"""
    return await page(request, "Bell", "A button that may be pressed five times a minute.", body)


def bell_key(request: Request) -> str:
    """Return who is limited: the address, which a new cookie does not change."""
    return f"bell:{request.client.host if request.client else ''}"


async def headers(request: Request) -> Response:
    """The headers as they came, and those of this very answer."""
    rows = table((name, value) for name, value in request.scope["headers"])
    body = f"""<section class="card"><h2>Received</h2>{rows}</section>
        <section class="card"><h2>Sent</h2>{SENT.decode()}</section>
        <form method="post" action="/headers">{hidden(session_of(request))}
        <button>Give this session a new token</button></form><p>Then the answer sets a cookie, and
        so says <code>no-store</code>. An answer that only reads sets none. On https the cookie
        would be <code>Secure</code> too, and its name would begin with <code>__Host-</code>.
        The server adds date and length.</p>"""
    return await page(request, "Headers", "What your browser sent, and what it got back.", body)


async def rotate(request: Request, _form: Form) -> Response:
    """Rotate the session and show the headers of that answer."""
    session_of(request).rotate()
    return await headers(request)


# How they are drawn


def session_of(request: Request) -> Session:
    """Return the session of this request."""
    session: Session = request.scope["session"]
    return session


def posted(endpoint: Callable[[Request, Form], Awaitable[Response]]) -> Endpoint:
    """Read the form and check that it came from a page of this session."""

    async def checked(request: Request) -> Response:
        raw = b""
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > 10_000:
                return Response("too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        form = dict(parse_qsl(raw.decode("utf-8", "replace")))
        if session_of(request).check_csrf(form.get("csrf")):
            return await endpoint(request, form)
        body = """<section class="card"><p>It belongs to a session that has ended or moved since,
            perhaps in another tab.</p><a class="button" href="/">Start again</a></section>"""
        answer = await page(request, "Old form", "This form is out of date.", body)
        answer.status_code = HTTPStatus.FORBIDDEN
        return answer

    return checked


def hidden(session: Session) -> str:
    """Return the field that proves a form is ours."""
    return f'<input type="hidden" name="csrf" value="{session.csrf_token()}">'


def clock(when: float) -> str:
    """Return a time of day, with the day if that is not today."""
    at, today = datetime.fromtimestamp(when, UTC), datetime.now(UTC).date()
    return f"<time>{at:{'' if at.date() == today else '%-d %B, '}%H:%M:%S} UTC</time>"


def device(agent: str) -> str:
    """Return what a person calls the device with this User-Agent."""
    browsers = ("Edg", "Firefox", "Chrome", "Safari", "curl")  # Edge says Chrome, Chrome Safari
    browser = next((name for name in browsers if f"{name}/" in agent), "a browser")
    systems = ("Android", "iPhone", "iPad", "Windows", "Mac OS X", "Linux")
    system = next((name for name in systems if name in agent), "")
    return browser.replace("Edg", "Edge") + (f" on {system}" if system else "")


def table(pairs: Any) -> str:
    """Return headers as rows."""
    rows = (
        f"<dt>{escape(name.decode('latin-1'))}</dt><dd>{escape(value.decode('latin-1'))}</dd>"
        for name, value in pairs
    )
    return f'<dl class="raw">{"".join(rows)}</dl>'


async def page(request: Request, title: str, lead: str, body: str) -> HTMLResponse:
    """Return a whole page."""
    session = session_of(request)
    here = request.url.path
    links = "".join(
        f'<a href="{path}"{" aria-current=page" if path == here else ""}>{name}</a>'
        for path, name in PAGES.items()
    )
    messages = "".join(
        f'<p class="flash" role="status">{escape(message)}</p>'
        for message in await session.aio.pop_flash()
    )
    who = f"signed in as {escape(str(session.user))}" if session.user else "nobody is signed in"
    html = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title} · Holdfast</title>
<link rel="icon" href="data:,"><style>{STYLE}</style></head><body>
<a class="skip" href="#main">Skip to content</a>
<header><a class="brand" href="/">{ANCHOR}Holdfast</a><nav aria-label="Pages">{links}</nav></header>
<main id="main"><h1>{title}</h1><p class="lead">{lead}</p>{messages}{body}</main>
<footer><span>{who}</span><span>answered by worker {os.getpid()}</span></footer></body></html>"""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'"
    return HTMLResponse(html, headers={"Content-Security-Policy": policy})


class ShowSent:
    """Writes the headers of an answer into its own page, where it asks for them."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one connection."""
        start: dict[str, Any] = {}

        async def written(message: Any) -> None:
            if message["type"] == "http.response.start":
                # A length cannot be part of what it measures: this page is sent in chunks.
                sent = [pair for pair in message["headers"] if pair[0] != b"content-length"]
                start.update(message, headers=sent)
                await send(start)
            else:
                shown = table(start["headers"]).encode()
                await send({**message, "body": message.get("body", b"").replace(SENT, shown)})

        plain = scope["type"] != "http" or scope["path"] != "/headers"
        await self.app(scope, receive, send if plain else written)


SENT = b"<!-- sent -->"
ANCHOR = """<svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="4.5" r="2.5"/>
<path d="M12 7v14M7.5 10.5h9M3.5 13.5c.4 4.6 4 7.5 8.5 7.5s8.1-2.9 8.5-7.5"/></svg>"""
STYLE = """
:root { --paper:#f5f7f6; --card:#fff; --ink:#16262b; --dim:#56696f; --line:#d9e1e0; --sea:#0a6a76;
  --on-sea:#fff; --wash:#e3f0ef; --warn:#8a3b12; --warn-wash:#fbeee2 }
@media (prefers-color-scheme: dark) { :root { --paper:#0e181b; --card:#152327; --ink:#dfe9e8;
  --dim:#93a8ab; --line:#26383d; --sea:#68c6cb; --on-sea:#06262a; --wash:#16363a; --warn:#f2b48a;
  --warn-wash:#38241a } }
* { box-sizing:border-box } html { color-scheme:light dark }
body { margin:0; min-height:100vh; display:flex; flex-direction:column; background:var(--paper);
  color:var(--ink); font:1.0625rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif }
header, main, footer { width:100%; max-width:46rem; margin:0 auto; padding:0 1.25rem }
header { display:flex; flex-wrap:wrap; align-items:center; gap:.5rem 2rem; padding-top:1.25rem }
main { flex:1; padding-top:2rem } footer { display:flex; flex-wrap:wrap; gap:.25rem 2rem;
  justify-content:space-between; padding-block:2.5rem 1.5rem; color:var(--dim); font-size:.875rem }
.brand { display:flex; align-items:center; gap:.5rem; font-weight:650; letter-spacing:-.01em;
  color:var(--ink); text-decoration:none; margin-right:auto }
svg { width:1.5rem; height:1.5rem; fill:none; stroke:var(--sea); stroke-width:1.75;
  stroke-linecap:round }
nav { display:flex; flex-wrap:wrap; gap:.25rem; margin-inline:-.75rem }
nav a { padding:.4rem .75rem; border-radius:.5rem; color:var(--dim); text-decoration:none }
nav a:hover { color:var(--ink); background:var(--wash) }
nav a[aria-current] { color:var(--sea); background:var(--wash); font-weight:600 }
h1 { margin:0; font-size:2rem; line-height:1.2; letter-spacing:-.02em; font-weight:680 }
h2 { margin:0 0 .75rem; font-size:1rem; font-weight:600 } p, form { margin:0 0 1rem }
.lead { margin:.35rem 0 1.75rem; color:var(--dim); font-size:1.125rem }
.dim { color:var(--dim); font-size:.9375rem }
.card > :last-child, .card > form > :last-child { margin-bottom:0 }
.card { margin:0 0 1.25rem; padding:1.35rem 1.5rem; background:var(--card);
  border:1px solid var(--line); border-radius:.9rem }
.center { text-align:center } a { color:var(--sea); text-underline-offset:.2em }
.row { display:flex; flex-wrap:wrap; gap:.6rem } .row input { flex:1 1 12rem; min-width:0 }
.pair { display:grid; gap:0 1.25rem; grid-template-columns:repeat(auto-fit,minmax(14rem,1fr)) }
label, legend { display:block; padding:0; margin-bottom:.4rem; font-weight:600 }
fieldset { border:0; margin:0; padding:0; min-width:0 }
.check { display:flex; align-items:center; gap:.6rem; margin:1rem 0 0; font-weight:400;
  color:var(--dim); font-size:.9375rem } input { font:inherit; color:inherit }
input[type=checkbox] { width:1.1rem; height:1.1rem; margin:0; accent-color:var(--sea) }
input:not([type=checkbox]) { padding:.6rem .8rem; background:var(--paper);
  border:1px solid var(--line); border-radius:.6rem }
button, .button { display:inline-block; min-height:2.75rem; padding:.55rem 1.15rem; border:0;
  border-radius:.6rem; background:var(--sea); color:var(--on-sea); font:inherit; font-weight:600;
  text-decoration:none; cursor:pointer } button:hover { filter:brightness(1.08) }
.quiet { background:none; color:var(--sea); box-shadow:inset 0 0 0 1px var(--line) }
:focus-visible { outline:3px solid var(--sea); outline-offset:2px }
dl { display:grid; grid-template-columns:minmax(7rem,auto) 1fr; gap:.35rem 1.25rem;
  margin:0 0 1rem } dt { color:var(--dim) } dd { margin:0; min-width:0; overflow-wrap:anywhere }
code, .raw { font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace; font-size:.875em }
.raw dt { color:var(--sea) } time, .figure, b { font-variant-numeric:tabular-nums }
.flash, .warn { padding:.7rem 1rem; border-radius:.6rem; background:var(--wash) }
.warn { position:relative; overflow:hidden; margin-bottom:1rem; background:var(--warn-wash);
  color:var(--warn) } .figure { margin:0; font-size:2.25rem; font-weight:650; line-height:1.3;
  letter-spacing:-.02em } .figure small { font-size:1rem; color:var(--dim); font-weight:400 }
.list { list-style:none; margin:0 0 1.25rem; padding:0 } .list li { display:flex; gap:1rem;
  align-items:center; justify-content:space-between; padding:.45rem 0 }
.list > li > .dim { white-space:nowrap }
.list:not(.bars) li + li { border-top:1px solid var(--line) }
.bars li { display:grid; grid-template-columns:6rem 1fr 2.5rem } .bars b { text-align:right }
.bars i { height:.7rem; border-radius:.35rem; background:var(--sea) }
.dots { display:flex; justify-content:center; gap:.75rem; margin:.5rem 0 1rem } .dots i {
  width:1.5rem; height:1.5rem; border-radius:50%; border:2px solid var(--sea); opacity:.45 }
.dots .on { background:var(--sea); opacity:1 } .bar { position:absolute; inset:auto auto 0 0;
  height:.25rem; width:100%; background:var(--warn); animation:drain linear both }
@keyframes drain { to { width:0 } }
.skip { position:absolute; left:-99rem } .skip:focus { left:1rem; top:1rem }
@media (max-width:30rem) { h1 { font-size:1.7rem } .card { padding:1.1rem }
  dl { grid-template-columns:1fr; gap:0 } dd { margin-bottom:.6rem }
  nav { width:100%; gap:0; margin-inline:-.5rem } nav a { padding:.35rem .5rem;
  font-size:.9375rem } }
@media (prefers-reduced-motion: reduce) { .bar { animation:none } }
"""

PAGES = {
    "/": "Account",
    "/cart": "Cart",
    "/report": "Report",
    "/bell": "Bell",
    "/headers": "Headers",
}
site = Starlette(
    routes=[
        Route("/", account),
        Route("/sign-in", posted(sign_in), methods=["POST"]),
        Route("/sign-out", posted(sign_out), methods=["POST"]),
        Route("/sessions", posted(end_sessions), methods=["POST"]),
        Route("/cart", cart, methods=["GET"]),
        Route("/cart", posted(add), methods=["POST"]),
        Route("/report", show_report, methods=["GET"]),
        Route("/report", posted(make_report), methods=["POST"]),
        Route("/report/invalidate", posted(invalidate), methods=["POST"]),
        Route("/bell", show_bell, methods=["GET"]),
        Route("/bell", posted(ring), methods=["POST"]),
        Route("/headers", headers, methods=["GET"]),
        Route("/headers", posted(rotate), methods=["POST"]),
    ]
)
app = ShowSent(SessionMiddleware(site, sessions))
