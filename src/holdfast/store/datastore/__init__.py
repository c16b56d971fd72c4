"""The Datastore store: one entity for each key, in one kind (Firestore in Datastore mode).

Law: what depends on what is there (`swap`, `increment`, `delete`) is one transaction: a lookup that
begins it, and a commit. A transaction that lost against another (ABORTED) was not done, and is
tried again; a commit without an answer is never repeated. A row is live while `expires` is later
than our clock: the service tells no time, and removes expired rows up to a day late.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any, TypeVar

from google.cloud import datastore
from google.cloud.datastore_v1.types import Mutation

from holdfast.bridge import BlockingStore, Offload
from holdfast.clock import Clock, wall
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.keys import check
from holdfast.lifetimes import own_threads
from holdfast.store.abilities import left
from holdfast.store.address import Address, Options
from holdfast.store.datastore.links import Link, Links
from holdfast.store.datastore.rows import Place, Row, chunks
from holdfast.store.datastore.wire import Login
from holdfast.store.protocol import AsyncStore, as_bytes

__all__ = ["DatastoreStore", "open_client", "open_url"]

T = TypeVar("T")
Decide = Callable[[dict[str, Row]], tuple[list[Mutation], T]]
"""Given the live rows, returns what to write and the answer."""


class DatastoreStore(BlockingStore):
    """Keeps bytes in a kind of Google Cloud Datastore; `open_url` and `open_client` make it.

    Args:
        place: Where the rows are.
        login: Whom to speak to, and as whom.
        timeout: Seconds an operation may take; of the many-forms, each batch of them.
        clock: UTC seconds; all hosts that share the kind must agree on it.
    """

    def __init__(
        self, place: Place, login: Login, *, timeout: float = 1.0, clock: Clock = wall
    ) -> None:
        super().__init__(place.name)
        self._place = place
        self._links = Links(place, login, timeout)
        self._threads = own_threads(place.name, timeout)
        self._clock = clock

    def _async_face(self) -> AsyncStore:
        return Offload(self, self._threads.here)

    def get(self, key: str) -> bytes | None:
        return self.get_many([key]).get(key)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for some in chunks(list(map(check, keys))):
            rows = self._links.repeat(partial(Link.lookup, keys=some))
            found.update((key, row.value) for key, row in self._live(rows).items())
        return found

    def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """See `CanTellTtl`."""
        found: dict[str, float | None] = {}
        for some in chunks(list(map(check, keys))):
            rows = self._links.repeat(partial(Link.lookup, keys=some)).items()
            ends = ((key, inf if row.expires is None else row.expires) for key, row in rows)
            found.update(left(ends, self._clock()))
        return found

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        self.put_many({key: value}, ttl)

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        gone, expires = ttl is not None and ttl <= 0, self._expires(ttl)
        writes = {
            check(key): self._place.removal(key)
            if gone
            else self._place.write(key, Row(as_bytes(value), expires))
            for key, value in items.items()
        }
        for some in self._place.batches(list(writes.values())):
            self._links.repeat(partial(Link.commit, writes=some))

    def delete(self, key: str) -> bool:
        return self.delete_many([key]) > 0

    def delete_many(self, keys: Sequence[str]) -> int:
        def decide(rows: dict[str, Row]) -> tuple[list[Mutation], int]:
            return [self._place.removal(key) for key in rows], len(rows)

        return sum(self._transact(some, decide) for some in chunks(list(map(check, keys))))

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        removes = new is None or (ttl is not None and ttl <= 0)

        def decide(rows: dict[str, Row]) -> tuple[list[Mutation], bool]:
            present = rows[key].value if key in rows else None
            if present != old:
                return [], False
            if new is None or removes:
                return [] if present is None else [self._place.removal(key)], True
            row = Row(as_bytes(new), self._expires(ttl))
            return [self._place.write(key, row)], True

        return self._transact([check(key)], decide)

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement`."""

        def decide(rows: dict[str, Row]) -> tuple[list[Mutation], int]:
            row = rows.get(key) or Row(b"0", self._expires(ttl))
            try:
                total = int(row.value) + by
            except ValueError as error:
                raise StoreUnavailable(self.name, f"{key!r} holds no integer") from error
            if key not in rows and ttl is not None and ttl <= 0:
                return [], total
            return [self._place.write(key, Row(b"%d" % total, row.expires))], total

        return self._transact([check(key)], decide)

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `CanScan`."""
        cursor: bytes | None = b""
        while cursor is not None:
            ask = partial(Link.page, prefix=prefix, cursor=cursor)
            rows, cursor = self._links.repeat(ask)
            yield from (key for key in self._live(rows) if key.startswith(prefix))

    def ping(self) -> None:
        self._links.repeat(lambda link: link.lookup(["holdfast:ping"]))

    def close(self) -> None:
        self._links.close()
        self._threads.close()

    def _expires(self, ttl: float | None) -> float | None:
        return None if ttl is None else self._clock() + ttl

    def _live(self, rows: dict[str, Row]) -> dict[str, Row]:
        now = self._clock()
        return {key: row for key, row in rows.items() if row.expires is None or row.expires > now}

    def _transact(self, keys: list[str], decide: Decide[T]) -> T:
        """Read `keys`, write what `decide` returns, in one transaction; return its answer."""

        def steps(link: Link) -> T:
            with link.transaction(keys) as (rows, commit):
                writes, answer = decide(self._live(rows))
                if writes:
                    commit(writes)
            return answer

        return self._links.repeat(steps)


def open_url(address: Address) -> DatastoreStore:
    """Open `datastore://project/kind`."""
    options = address.options
    options.allow("namespace", "database")
    kind = address.path[1:]
    if not address.netloc or address.user or not kind or "/" in kind:
        raise ConfigError("datastore:// needs a project and a kind: datastore://project/kind")
    place = Place(
        name=address.shown,
        project=address.netloc,
        kind=kind,
        namespace=options.text("namespace"),
        database=options.text("database"),
    )
    return DatastoreStore(place, Login(), timeout=options.timeout())


def open_client(client: object, options: Options) -> DatastoreStore:
    """Open a kind with the settings of a ready `google.cloud.datastore.Client`."""
    if not isinstance(client, datastore.Client):
        raise ConfigError(f"{options.where} is no google.cloud.datastore.Client: give one")
    options.allow("kind")
    given: Any = client
    place = Place(
        name=f"datastore://{given.project}/{options.text('kind', 'holdfast')}",
        project=given.project,
        kind=options.text("kind", "holdfast"),
        namespace=given.namespace or "",
        database=given.database or "",
    )
    login = Login(given._credentials, given.base_url)  # noqa: SLF001 - there is no other way to them
    return DatastoreStore(place, login, timeout=options.timeout())
