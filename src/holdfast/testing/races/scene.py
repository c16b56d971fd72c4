"""What a race is played with: visitors, requests that overlap, and what is said of them after.

Law: an overlap is in order, not in time: the slow request has loaded its session, then the others
are answered, then the slow one goes on. Only an application that makes the others wait (a lock)
is told so by time.
"""

from collections.abc import Callable
from concurrent.futures import Executor, wait
from secrets import token_hex
from typing import Any
from urllib.parse import urlencode

from holdfast.errors import ConfigError
from holdfast.testing.races.browser import Answer, Browser
from holdfast.testing.races.gate import Gate

__all__ = [
    "Absent",
    "Lost",
    "Refused",
    "Scene",
    "answered",
    "is_dead",
    "is_nobody",
    "is_user",
    "shows",
]

_NOT_THERE = (404, 405, 501)
_SLACK = 6  # a slow request waits for the others, and each of those as long as anybody may


class Absent(Exception):  # noqa: N818 - an outcome
    """The application has no such path."""


class Refused(Exception):  # noqa: N818 - an outcome
    """A request was answered with an error: nothing was lost in silence."""


class Lost(Exception):  # noqa: N818 - an outcome
    """The race is lost; the text says what is wrong now."""


class Scene:
    """One playing of one race.

    Args:
        base: The application's URL.
        gate: Where its slow requests wait.
        pool: Threads for two requests at once.
        patience: Seconds until a request counts as waiting for another.

    Attributes:
        user: Who signs in; somebody else in each scene, as an application may count his sessions.
        waited: Whether a request waited for the slow one.
    """

    def __init__(self, base: str, gate: Gate, pool: Executor, patience: float) -> None:
        self.user = f"ada-{token_hex(8)}"
        self.waited = False
        self._base = base
        self._gate = gate
        self._pool = pool
        self._patience = patience

    def visitor(self, *paths: str) -> Browser:
        """Return a new visitor, who has asked for `paths`."""
        browser = Browser(self._base, self._patience * _SLACK)
        for path in paths:
            answered(browser.get(path))
        return browser

    def overlap(self, browser: Browser, slow: str, *fast: str) -> Answer:
        """Hold the request `slow` after it has loaded, have `fast` answered, and let it go on.

        Returns:
            The slow one's answer, whatever it is; those to `fast` were good.

        Raises:
            Absent: One of the paths is not there.
            Refused: One of `fast` was not done.
            ConfigError: The slow request does not come to the gate.
        """
        return self.overlap_all(browser, slow, *fast)[0]

    def overlap_all(self, browser: Browser, slow: str, *fast: str) -> tuple[Answer, list[Answer]]:
        """Do as `overlap` does; return the other answers, too."""
        with self._gate.passage() as passage:
            late = self._pool.submit(browser.get, _holding(slow, passage.url))
            late.add_done_callback(lambda _: passage.came.set())
            if not passage.came.wait(self._patience * _SLACK):
                raise ConfigError(f"{slow}: the application never asked what `wait` said")
            if late.done():
                answered(late.result())
                raise ConfigError(f"{slow}: the application answered and did not `wait`")
            others = self._pool.submit(lambda: [browser.get(path) for path in fast])
            self.waited |= bool(wait([others], self._patience).not_done)
        answer, replies = late.result(), others.result()
        if answer.status in _NOT_THERE:
            raise Absent(_asked(answer))
        for reply in replies:
            answered(reply)
        return answer, replies


def _holding(path: str, url: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{urlencode({'wait': url})}"


def answered(answer: Answer) -> dict[str, Any]:
    """Return what is shown.

    Raises:
        Absent: There is no such path.
        Refused: It was not done.
    """
    if answer.status in _NOT_THERE:
        raise Absent(_asked(answer))
    if answer.status != 200:
        raise Refused(f"{_asked(answer)} was answered {answer.status}")
    return answer.shown


def _asked(answer: Answer) -> str:
    return answer.path.partition("?")[0]


def _checked(browser: Browser, wrong: Callable[[dict[str, Any]], str]) -> None:
    if said := wrong(answered(browser.get("/show"))):
        raise Lost(said)


def shows(browser: Browser, **names: object) -> None:
    """Lose the race unless the browser's session holds these names."""

    def wrong(shown: dict[str, Any]) -> str:
        for name, value in names.items():
            if name not in shown:
                return f"{name!r} is gone"
            if str(shown[name]) != str(value):
                return f"{name!r} is {shown[name]!r}, not {value!r}"
        return ""

    _checked(browser, wrong)


def is_user(browser: Browser, user: str) -> None:
    """Lose the race unless `user` is signed in."""
    _checked(
        browser,
        lambda shown: (
            "" if (now := shown.get("user")) == user else f"{now or 'nobody'} is signed in"
        ),
    )


def is_nobody(browser: Browser) -> None:
    """Lose the race if somebody is signed in, or has what was there when he was."""
    _checked(browser, lambda shown: _alive(shown, "the browser's cookie"))


def is_dead(browser: Browser, whose: str) -> None:
    """Lose the race if a cookie that was copied earlier still opens the session."""
    _checked(browser, lambda shown: _alive(shown, whose))


def _alive(shown: dict[str, Any], whose: str) -> str:
    if shown.get("user"):
        return f"{whose} is signed in"
    return f"{whose} shows the session" if "a" in shown else ""
