"""A worker that locks and writes, on either library, as often as it is told.

rolling_worker.py {PLACE: OPTIONS} COUNTER ID
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

from beaker.cache import CacheManager
from beaker.session import Session

ID = sys.argv[3] if __name__ == "__main__" else ""


def opened(options: dict[str, Any]) -> Any:
    """Return the session that all share."""
    return Session({}, id=ID, use_cookies=False, **options)


def begin(options: dict[str, Any], **values: Any) -> None:
    """Write the session, whatever was there."""
    session = opened(options)
    session.clear()
    session.update(values)
    session.save()


def count_file(counter: Path, lock: Any, times: int) -> None:
    """Add to the number in a file, which only the lock makes safe."""
    for _ in range(times):
        lock.acquire()
        try:
            number = int(counter.read_text())
            counter.write_text("")  # who looks now, fails
            counter.write_text(str(number + 1))
        finally:
            lock.release()


class SessionLock:
    """`session.lock()`, as a lock."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.session = opened(options)

    def acquire(self) -> None:
        self.session.lock()

    def release(self) -> None:
        self.session.unlock()


def creation_lock(options: dict[str, Any]) -> Any:
    """Return the lock of who makes a value of a cache."""
    return CacheManager(**options).get_cache("locks").namespace.get_creation_lock("key")


def count_name(options: dict[str, Any], name: str, times: int) -> None:
    """Add to one name of the session, in one request after the other."""
    for _ in range(times):
        session = opened(options)
        session[name] = session.get(name, 0) + 1
        session.save()


def write_on(options: dict[str, Any]) -> None:
    """Write until somebody ends it: two names that are always equal, far from each other."""
    number = opened(options)["a"]
    while True:
        number += 1
        session = opened(options)
        session.update({"a": number, "filler": f"{number}" * 20_000, "b": number})
        session.save()


def read(options: dict[str, Any]) -> Any:
    """Return what is in the session."""
    session = opened(options)
    return {name: value for name, value in session.items() if name[0] != "_"}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    places, counter = json.loads(sys.argv[1]), Path(sys.argv[2])
    for line in sys.stdin:
        asked = json.loads(line)
        told, do = places[asked.pop("place")], asked.pop("do")
        found: Any = None
        if do == "session lock":
            count_file(counter, SessionLock(told), **asked)
        elif do == "creation lock":
            count_file(counter, creation_lock(told), **asked)
        else:
            acts: dict[str, Any] = {
                "begin": begin,
                "count": count_name,
                "write on": write_on,
                "read": read,
            }
            found = acts[do](told, **asked)
        print(json.dumps(found), flush=True)  # noqa: T201 - its answer
