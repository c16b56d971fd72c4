"""The sequences of the response cache: look, fetch, keep, forget. Written once for WSGI and ASGI.

Law: of the requests for one page one goes to the application, and the others wait a little, as long
as its answer may turn out to be for all; of a page that is not, each asks for himself. Between
`look` and the end of the answer the middlewares call the application; whatever it does, one of
`answered`, `failed` and `ended` follows.
"""

import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace

from holdfast.bridge import Waits
from holdfast.errors import CodecError, StoreError
from holdfast.locks import Flight, Flights
from holdfast.web.headers import Headers
from holdfast.web.httpcache.asked import Asked
from holdfast.web.httpcache.fetch import Fetch
from holdfast.web.httpcache.kept import Kept, kept, paths_changed, renewed
from holdfast.web.httpcache.page import Page
from holdfast.web.httpcache.passing import Passing
from holdfast.web.httpcache.reply import Reply, cache_status, not_stored, reply
from holdfast.web.httpcache.rules import (
    Answer,
    Verdict,
    forbids,
    is_never_fresh,
    keep_for,
    may_replace_error,
    verdict,
)
from holdfast.web.httpcache.settings import Settings
from holdfast.web.httpcache.shelf import Place, Shelf

__all__ = ["Call", "Engine", "Sent"]

Sent = tuple[str, Headers, bytes]
"""A whole response of the application: status line without the version, headers, body."""
Call = Callable[[Fetch], Awaitable[Sent]]
"""Calls the application on behalf of nobody, for a page that is to be renewed."""

_log = logging.getLogger("holdfast.httpcache")
_PATIENCE = 5.0  # seconds: a stranger's slow line must not hold up everybody
_TURNS = 3
_PASS_FOR = 10.0  # seconds for which requests of a page that could not be stored do not wait
_RETRY_AFTER = 1.0  # seconds for which an application that failed is not asked for a stale page
_FAILURES = {500, 502, 503, 504}


class Engine:
    """The sequences over one kind of waiting.

    Args:
        shelf: Where the pages lie.
        settings: What the user chose.
        waits: How requests wait for each other.
    """

    def __init__(self, shelf: Shelf, settings: Settings, waits: Waits) -> None:
        self.shelf = shelf
        self.settings = settings
        self._waits = waits
        self._flights = Flights()
        self._passing = Passing()
        self._failing = Passing()

    async def look(self, asked: Asked, background: Callable[[], Call]) -> Reply | Fetch:
        """Return the answer to `asked` if there is one, else what to ask the application.

        Args:
            asked: The request.
            background: Makes what calls the application beside this request.
        """
        if not asked.may_be_served:
            return self._pass(asked, "request" if asked.is_safe else "method")
        why = "uri-miss"
        for _ in range(_TURNS):
            place = await self.shelf.find(asked)
            now = self.settings.clock()
            found = None if place.page is None else verdict(place.page, asked, now)
            answer = self._served(place, found, now, background)
            if answer is not None:
                return answer
            why = _why(place, found)
            if not asked.may_be_stored or self._is_passed(place, now):
                break
            flight, mine = self._flights.board(place.ticket)
            if mine:
                fetch = await self._fetch(place, flight, why)
                if fetch is not None:
                    return fetch
                continue  # another process made it
            if found is Verdict.REQUEST or (place.page and is_never_fresh(place.page)):
                break  # what another is told is not what he asked for
            if not await self._waits.join(flight, _PATIENCE):
                self._flights.forget(place.ticket, flight)
        return self._pass(asked, why)

    def _served(
        self, place: Place, found: Verdict | None, now: float, background: Callable[[], Call]
    ) -> Reply | None:
        """Return what can be answered without the application."""
        page, asked = place.page, place.asked
        if page is not None and found in (Verdict.SERVE, Verdict.SERVE_AND_RENEW):
            if found is Verdict.SERVE_AND_RENEW:
                self._renew(place, background)
            return self._hit(page, asked, now)
        if "only-if-cached" in asked.directives:
            return not_stored()
        is_failing = found is Verdict.RENEW and self._failing.knows(place.ticket, now)
        if page is not None and is_failing and may_replace_error(page, now):
            return self._hit(page, asked, now, detail="stale-if-error")  # nor is it asked by each
        return None

    def _is_passed(self, place: Place, now: float) -> bool:
        return self._passing.knows(place.crowd, now) or self._failing.knows(place.ticket, now)

    def _hit(self, page: Page, asked: Asked, now: float, detail: str | None = None) -> Reply:
        age = page.age_at(now)
        status = cache_status("hit", ttl=page.lifetime - age, detail=detail)
        return reply(page, asked, status=status, age=age)

    def _pass(self, asked: Asked, why: str) -> Fetch:
        """Return what lets a request through as it is, and its answer too."""
        return Fetch(asked, why, self.settings.clock())

    async def _fetch(self, place: Place, flight: Flight, why: str) -> Fetch | None:
        """Return what to ask the application; None if another process has done so."""
        begun = None
        try:
            begun = await self.shelf.begin(place)
        finally:
            if begun is None:
                self._flights.land(place.ticket, flight)
        if begun is None:
            return None
        return Fetch(place.asked, why, self.settings.clock(), begun, flight, place.page)

    def _renew(self, place: Place, background: Callable[[], Call]) -> None:
        """Have a stale page made anew beside this request, if nobody does so already."""
        if self._failing.knows(place.ticket, self.settings.clock()):
            return
        flight, mine = self._flights.board(place.ticket)
        if not mine:
            return
        call, whole = background(), replace(place, asked=place.asked.for_all())

        def steps() -> Coroutine[object, None, None]:
            return self._renewing(whole, flight, call)

        def over() -> None:
            self._flights.land(place.ticket, flight)

        try:
            self._waits.start(steps, over, hurried=False)
        except RuntimeError:  # the program ends
            over()

    async def _renewing(self, place: Place, flight: Flight, call: Call) -> None:
        try:
            fetch = await self._fetch(place, flight, "stale")
            if fetch is None:
                return
            try:
                await self.answered(fetch, *await call(fetch))
            except Exception:
                self._gave_nothing(fetch, 500)
                raise
            finally:
                await self.ended(fetch)
        except Exception:  # noqa: BLE001 - nobody is left to raise it to
            _log.exception("%s could not be made anew", place.asked.path)

    def settles(self, fetch: Fetch, code: int) -> bool:
        """Return whether the status alone decides what is answered: the body may be let go."""
        page = fetch.stale
        if page is None:
            return False
        return code == 304 or (code in _FAILURES and self._may_replace(page))

    def _may_replace(self, page: Page) -> bool:
        return may_replace_error(page, self.settings.clock())

    async def answered(self, fetch: Fetch, status: str, headers: Headers, body: bytes) -> Reply:
        """Return the answer to a request whose whole response is here, and keep what may be kept.

        Args:
            fetch: The request.
            status: The status line of the application, without the version.
            headers: Its headers, without that of tags.
            body: Its body.
        """
        page, code = fetch.stale, int(status[:3])
        try:
            if page is not None and code in _FAILURES and self._may_replace(page):
                self._gave_nothing(fetch, code)
                return self._hit(page, fetch.asked, self.settings.clock(), "stale-if-error")
            if page is not None and code == 304:
                response = renewed(fetch, page, headers, self.settings)
            else:
                response = kept(fetch, status, headers, body, self.settings)
            is_kept = await self._keep(fetch, response)
        finally:
            await self.ended(fetch)
        said = cache_status(
            *(["stored"] if is_kept else ()),
            fwd=fetch.why,
            fwd_status=str(code),
            detail=None if is_kept else response.forbidden,
        )
        if response.page is None:
            return Reply(status, [*headers, ("Cache-Status", said)], body)
        return reply(response.page, fetch.asked, status=said, more=response.more)

    async def begins(self, fetch: Fetch, status: str, headers: Headers) -> bool:
        """Return whether the body of a response that leaves as it comes is worth collecting.

        If it is not, nobody waits for this request any longer.
        """
        answer = Answer(int(status[:3]), headers, touched=fetch.is_touched)
        if forbids(fetch.asked, answer, self.settings, self.settings.clock()) is None:
            return True
        self._gave_nothing(fetch, answer.code)
        await self.ended(fetch)
        return False

    async def streamed(self, fetch: Fetch, status: str, headers: Headers, body: bytes) -> None:
        """Keep, if it may be kept, a response that has left and was whole."""
        try:
            await self._keep(fetch, kept(fetch, status, headers, body, self.settings))
        finally:
            await self.ended(fetch)

    async def _keep(self, fetch: Fetch, response: Kept) -> bool:
        """Keep a response if it may be kept; else let the next requests for it pass."""
        place, page = fetch.place, response.page
        if place is None:
            return False
        if response.forbidden or page is None:
            self._gave_nothing(fetch, int(response.status[:3]))
            return False
        ttl, tags = keep_for(page, self.settings.clock()), [*fetch.tags, *fetch.notes.tags]
        try:
            is_kept = await self.shelf.keep(place, page, ttl, names=response.names, tags=tags)
        except CodecError:  # of a codec that is not ours
            _log.exception("%s could not be written", place.asked.path)
            self._gave_nothing(fetch)
            return False
        if is_kept:
            self._passing.discard(place.crowd)
            self._failing.discard(place.ticket)
        return is_kept

    def _gave_nothing(self, fetch: Fetch, code: int = 200) -> None:
        """Let who waits ask for himself, all at once: one after the other would take too long.

        Args:
            fetch: The request.
            code: The status of the answer to it; an error may be the fault of this request alone.
        """
        place, now = fetch.place, self.settings.clock()
        if place is not None and code in _FAILURES:
            self._failing.add(place.ticket, now + _RETRY_AFTER)
        elif place is not None:
            self._passing.add(place.crowd, now + (_PASS_FOR if code < 400 else _RETRY_AFTER))

    async def failed(self, fetch: Fetch, error: Exception) -> Reply | None:
        """Return the stale page to be served because the application raised; None: raise on."""
        page = fetch.stale
        self._gave_nothing(fetch, 500)
        await self.ended(fetch)
        if page is None or not self._may_replace(page):
            return None
        _log.error("%s failed, its stale page is served", fetch.asked.path, exc_info=error)
        return self._hit(page, fetch.asked, self.settings.clock(), "stale-if-error")

    async def ended(self, fetch: Fetch, *, in_vain: bool = False) -> None:
        """Let the others go: nothing more comes of this request. Twice is fine.

        Args:
            fetch: The request.
            in_vain: Its response cannot be collected: the others need not wait in turn.
        """
        place, flight, fetch.flight = fetch.place, fetch.flight, None
        if place is None or flight is None:
            return
        if in_vain:
            self._gave_nothing(fetch)
        self._flights.land(place.ticket, flight)
        await self.shelf.end(place)

    async def changed(self, asked: Asked, code: int, headers: Headers) -> None:
        """Forget what a request that was no mere question has changed (RFC 9111 4.4)."""
        if asked.is_safe or not 200 <= code < 400:
            return
        try:
            await self.shelf.forget(paths_changed(asked, headers))
        except StoreError:  # the cache has told its observer; the request itself succeeded
            _log.warning("%s changed, and its pages could not be forgotten", asked.path)


def _why(place: Place, found: Verdict | None) -> str:
    """Return why a request is forwarded, in the words of RFC 9211."""
    if found is not None:
        return "request" if found is Verdict.REQUEST else "stale"
    return "vary-miss" if place.names else "uri-miss"
