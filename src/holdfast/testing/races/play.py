"""Playing the races: against a URL, or against an application that is served for it.

Law: each race has a visitor of its own, so that none depends on another. Nothing is known of the
application but the paths that the documentation asks of it.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from holdfast.errors import ConfigError
from holdfast.testing.races.gate import Gate
from holdfast.testing.races.plays import RACES, Race
from holdfast.testing.races.report import RaceReport, Verdict
from holdfast.testing.races.scene import Absent, Lost, Refused, Scene
from holdfast.testing.races.served import App, served

__all__ = ["run_races"]


def run_races(target: str | App, names: Sequence[str] = (), *, patience: float = 5.0) -> RaceReport:
    """Play races against an application with sessions, of whatever library, and say who won.

    In each race a slow request of a browser overlaps another. The application has a few small
    paths, which the reference on testing lists; it must answer two requests at once.

    Args:
        target: The application's URL on this machine, or a WSGI or ASGI application.
        names: Which races; default: all of them.
        patience: Seconds until a request counts as waiting for another, as behind a lock.

    Returns:
        What became of each race.

    Raises:
        ConfigError: A race has no such name, or the application cannot be played with: no answer,
            no JSON, no waiting where it is told to, or one request at a time.
    """
    if unknown := [name for name in names if name not in RACES]:
        raise ConfigError(f"no such race: {', '.join(unknown)}; there are {', '.join(RACES)}")
    with ExitStack() as ends:
        base = target if isinstance(target, str) else ends.enter_context(served(target))
        pool = ends.enter_context(ThreadPoolExecutor(2))
        gate = ends.enter_context(Gate())

        def scene() -> Scene:
            return Scene(base, gate, pool, patience)

        _try_out(scene())
        return RaceReport([_verdict(RACES[name], scene()) for name in names or RACES])


def _try_out(scene: Scene) -> None:
    """Find out whether strangers are answered while another waits."""
    try:
        scene.overlap(scene.visitor(), "/show", "/show")
    except (Absent, Refused) as error:
        raise ConfigError(f"the application has no good answer to a stranger: {error}") from error
    if scene.waited:
        raise ConfigError("the application answers one request at a time: give it two threads")


def _verdict(race: Race, scene: Scene) -> Verdict:
    try:
        race.play(scene)
    except Lost as error:
        return Verdict(race.name, "lost", str(error))
    except Refused as error:
        return Verdict(race.name, "refused", str(error))
    except Absent as error:
        return Verdict(race.name, "absent", f"no {error}")
    return Verdict(race.name, "kept", "one waited for the other" if scene.waited else "")
