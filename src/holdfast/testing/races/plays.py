"""The races: what two tabs of one browser do at once, and what must be true afterwards.

Law: every visitor has `a=1` in his session. What was answered 200 was promised: it must be there
afterwards, and what was ended must stay ended. An error in answer to the slow request is no
promise; what the fast ones were promised holds all the same. Which of two values of one name stays
is nobody's promise, and is not asked.
"""

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.errors import ConfigError
from holdfast.testing.races.browser import Answer, Browser
from holdfast.testing.races.scene import (
    Lost,
    Scene,
    answered,
    is_dead,
    is_nobody,
    is_user,
    shows,
)

__all__ = ["RACES", "Race"]


@dataclass(frozen=True, slots=True)
class Race:
    """One race.

    Attributes:
        name: The slow request and the fast one.
        about: What it is about: `"updates"`, `"logouts"`, `"tokens"`, `"messages"` or `"cookies"`.
        title: In a line.
        play: Plays it; raises what became of it, and nothing if all was kept.
    """

    name: str
    about: str
    title: str
    play: Callable[[Scene], None]


RACES: dict[str, Race] = {}


def _race(about: str, title: str) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    def enter(play: Callable[[Scene], None]) -> Callable[[Scene], None]:
        name = play.__name__.strip("_").replace("_", "-")
        RACES[name] = Race(name, about, title, play)
        return play

    return enter


@_race("updates", "a page that only reads does not undo a write")
def _read_write(scene: Scene) -> None:
    visitor = scene.visitor("/set?a=1")
    slow = scene.overlap(visitor, "/show", "/set?b=2")
    shows(visitor, a=1, b=2)
    answered(slow)


@_race("updates", "of two writes of different names both stay")
def _write_write(scene: Scene) -> None:
    visitor = scene.visitor("/set?a=1")
    slow = scene.overlap(visitor, "/set?slow=1", "/set?fast=1")
    shows(visitor, a=1, fast=1)
    answered(slow)
    shows(visitor, slow=1)


@_race("updates", "what was deleted stays deleted")
def _write_delete(scene: Scene) -> None:
    visitor = scene.visitor("/set?a=1", "/set?b=2")
    slow = scene.overlap(visitor, "/set?slow=1", "/delete?b=")
    if "b" in answered(visitor.get("/show")):
        raise Lost("'b' is there again")
    answered(slow)
    shows(visitor, a=1, slow=1)


@_race("updates", "two visits count as two")
def _count_count(scene: Scene) -> None:
    visitor = scene.visitor("/set?a=1", "/count?visits=")
    answered(scene.overlap(visitor, "/count?visits=", "/count?visits="))
    shows(visitor, a=1, visits=3)


@_race("updates", "two items put into a cart are both in it")
def _append_append(scene: Scene) -> None:
    visitor = scene.visitor("/set?a=1", "/append?cart=tea")
    answered(scene.overlap(visitor, "/append?cart=milk", "/append?cart=sugar"))
    cart = answered(visitor.get("/show")).get("cart")
    if not isinstance(cart, list) or sorted(map(str, cart)) != ["milk", "sugar", "tea"]:
        raise Lost(f"'cart' is {cart!r}")


@_race("logouts", "a page that only reads does not undo a logout")
def _read_logout(scene: Scene) -> None:
    _logged_out(scene, "/show")


@_race("logouts", "a write does not undo a logout")
def _write_logout(scene: Scene) -> None:
    _logged_out(scene, "/set?slow=1")


@_race("logouts", "a new token does not undo a logout")
def _rotate_logout(scene: Scene) -> None:
    _logged_out(scene, "/rotate")


@_race("logouts", "a logout also ends what was given a new token meanwhile")
def _logout_rotate(scene: Scene) -> None:
    _logged_out(scene, "/logout", "/rotate")


def _logged_out(scene: Scene, slow: str, fast: str = "/logout") -> None:
    visitor = scene.visitor(
        "/set?a=1", f"/login?user={scene.user}"
    ).twin()  # whose past begins here
    answer = scene.overlap(visitor, slow, fast)
    if fast != "/logout":
        answered(answer)  # else an error is as good an answer
    is_nobody(visitor)
    for copy in visitor.past():
        is_dead(copy, "a copy of the cookie")


@_race("tokens", "the cookie of a slow page does not replace that of a login")
def _read_login(scene: Scene) -> None:
    _signed_in(scene, "/show")


@_race("tokens", "a write that overlaps a login is kept, and only there")
def _write_login(scene: Scene) -> None:
    _signed_in(scene, "/set?slow=1", slow=1)


@_race("tokens", "two logins of one user leave him signed in")
def _login_login(scene: Scene) -> None:
    _signed_in(scene, f"/login?user={scene.user}")


def _signed_in(scene: Scene, slow: str, /, **kept: object) -> None:
    visitor = scene.visitor("/set?a=1")
    before = visitor.twin()
    answer = scene.overlap(visitor, slow, f"/login?user={scene.user}")
    is_user(visitor, scene.user)
    shows(visitor, a=1)
    is_dead(before, "the cookie from before the login")
    answered(answer)
    shows(visitor, **kept)


@_race("tokens", "of two users who sign in at once none sees what is the other's")
def _login_another(scene: Scene) -> None:
    visitor = scene.visitor("/set?a=1")
    before = visitor.twin()
    ada, bob = scene.user, f"bob-{scene.user}"
    slow = scene.overlap(visitor, f"/login?user={bob}", f"/login?user={ada}", "/set?private=1")
    for browser in (visitor, before):
        shown = answered(browser.get("/show"))
        if shown.get("user") != ada and "private" in shown:
            raise Lost(f"{shown.get('user') or 'nobody'} sees what is {ada}'s")
    is_dead(before, "the cookie from before the login")
    answered(slow)
    is_user(visitor, bob)


@_race("tokens", "the cookie of a slow page does not replace a new one")
def _read_rotate(scene: Scene) -> None:
    _rotated(scene, "/show")


@_race("tokens", "a write that overlaps a new token is kept")
def _write_rotate(scene: Scene) -> None:
    _rotated(scene, "/set?slow=1", slow=1)


@_race("tokens", "two new tokens at once leave one session")
def _rotate_rotate(scene: Scene) -> None:
    _rotated(scene, "/rotate")


def _rotated(scene: Scene, slow: str, /, **kept: object) -> None:
    visitor = scene.visitor("/set?a=1")
    before = visitor.twin()
    answer = scene.overlap(visitor, slow, "/rotate")
    shows(visitor, a=1)
    is_dead(before, "the old cookie")
    answered(answer)
    shows(visitor, **kept)


@_race("messages", "of two tabs one shows a message, and once")
def _pop_pop(scene: Scene) -> None:
    visitor = scene.visitor("/set?a=1", "/flash?message=hello")
    answer, [other] = scene.overlap_all(visitor, "/pop", "/pop")
    shown = _popped(other) + _popped(answer)
    if shown != ["hello"]:
        raise Lost(f"two tabs showed {shown!r}")
    _shows_no_more(visitor)


@_race("messages", "a message left while others are shown is not lost, and those come once")
def _pop_flash(scene: Scene) -> None:
    visitor = scene.visitor("/set?a=1", "/flash?message=one")
    answer = scene.overlap(visitor, "/pop", "/flash?message=two")
    shown = _popped(answer) + _popped(visitor.get("/pop"))
    if sorted(map(str, shown)) != ["one", "two"]:
        raise Lost(f"shown were {shown!r}")
    _shows_no_more(visitor)


def _popped(answer: Answer) -> list[object]:
    popped = answered(answer).get("popped")
    if not isinstance(popped, list):
        raise ConfigError(f'{answer.path}: it must show the messages it took as "popped"')
    return popped


def _shows_no_more(visitor: Browser) -> None:
    if again := _popped(visitor.get("/pop")):
        raise Lost(f"a third page shows {again!r} again")


@_race("cookies", "a stranger's slow page does not replace his first cookie")
def _read_first(scene: Scene) -> None:
    visitor = scene.visitor()
    slow = scene.overlap(visitor, "/show", "/set?a=1")
    shows(visitor, a=1)
    answered(slow)


@_race("cookies", "a page that only reads sets no cookie")
def _read(scene: Scene) -> None:
    stranger, visitor = scene.visitor(), scene.visitor("/set?a=1")
    for whose, browser in (("a stranger's", stranger), ("a visitor's", visitor)):
        answer = browser.get("/show")
        answered(answer)
        if answer.cookies:
            raise Lost(f"{whose} page set {', '.join(answer.cookies)}")
