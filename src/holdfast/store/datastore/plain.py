"""Plain entities: a blob in `data` beside `created` and `accessed`, as App Engine kept them.

Law: what depends on what is there is one transaction, as in this package's store. `created` stays
what it was; an entity without it gets the time it is written.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial

import google.auth
from google.auth.exceptions import DefaultCredentialsError
from google.cloud.datastore_v1.types import Entity, Mutation, Value

from holdfast.clock import Clock, wall
from holdfast.errors import ConfigError, KeyRejected
from holdfast.store.datastore.links import Link, Links
from holdfast.store.datastore.rows import Place, Row, as_date, fitting
from holdfast.store.datastore.wire import Login

__all__ = ["PlainEntities", "project_here"]

_TIMEOUT = 5.0  # seconds of one operation
_PROJECTS = ("GOOGLE_CLOUD_PROJECT", "DATASTORE_PROJECT_ID", "GCLOUD_PROJECT")
_LONGEST = 1500  # bytes of a name
Decide = Callable[[Row | None], bool]


class _Kept(Place):
    """Where the entities are; a row's `expires` is the time it was created: they never expire."""

    def read(self, entity: Entity) -> tuple[str, Row]:
        properties = entity.properties
        born = properties["created"].timestamp_value if "created" in properties else None
        data: bytes = properties["data"].blob_value if "data" in properties else b""
        return entity.key.path[-1].name, Row(data, born.timestamp() if born else None)

    def writing(self, key: str, data: bytes, created: float, now: float) -> Mutation:
        """Return what writes an entity."""
        properties = {
            "data": Value(blob_value=data, exclude_from_indexes=True),
            "created": Value(timestamp_value=as_date(created)),
            "accessed": Value(timestamp_value=as_date(now)),
        }
        return Mutation(
            upsert=fitting(self.name, Entity(key=self.named(key), properties=properties), data)
        )


class PlainEntities:
    """The entities of one kind; see `PlainStore`.

    Args:
        project: The Google Cloud project.
        kind: Their kind.
        clock: UTC seconds.
    """

    def __init__(self, project: str, kind: str, *, clock: Clock = wall) -> None:
        self.name = f"datastore://{project}/{kind}"
        self._place = _Kept(name=self.name, project=project, kind=kind)
        self._links = Links(self._place, Login(), _TIMEOUT)
        self._clock = clock

    def get(self, key: str) -> bytes | None:
        """See `PlainStore`."""
        rows = self._links.repeat(partial(Link.lookup, keys=[_checked(key)]))
        return rows[key].value if key in rows else None

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:  # noqa: ARG002 - entities know no ttl
        """See `PlainStore`."""
        self._change(key, value, lambda _: True)

    def delete(self, key: str) -> bool:
        """See `PlainStore`."""
        return self._change(key, None, lambda row: row is not None)

    def swap(
        self,
        key: str,
        old: bytes | None,
        new: bytes | None,
        ttl: float | None = None,  # noqa: ARG002 - entities know no ttl
    ) -> bool:
        """See `PlainStore`."""
        return self._change(key, new, lambda row: (None if row is None else row.value) == old)

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `PlainStore`."""
        cursor: bytes | None = b""
        while cursor is not None:
            rows, cursor = self._links.repeat(partial(Link.page, prefix="", cursor=cursor))
            yield from (key for key in rows if key.startswith(prefix))

    def close(self) -> None:
        """See `PlainStore`."""
        self._links.close()

    def _change(self, key: str, new: bytes | None, may: Decide) -> bool:
        """Write or remove in one transaction, if what is there now allows it."""

        def steps(link: Link) -> bool:
            with link.transaction([_checked(key)]) as (rows, commit):
                row = rows.get(key)
                if not may(row):
                    return False
                if new is not None:
                    now = self._clock()
                    born = now if row is None or row.expires is None else row.expires
                    commit([self._place.writing(key, new, born, now)])
                elif row is not None:
                    commit([Mutation(delete=self._place.named(key))])
            return True

        return self._links.repeat(steps)


def project_here() -> str:
    """Return the project of this process, found as Google's libraries do.

    Raises:
        ConfigError: It is not told anywhere.
    """
    for name in _PROJECTS:
        if os.environ.get(name):
            return os.environ[name]
    try:
        _, project = google.auth.default()
    except DefaultCredentialsError:
        project = None
    if not project:
        raise ConfigError("which Google Cloud project? set GOOGLE_CLOUD_PROJECT")
    return str(project)


def _checked(key: str) -> str:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= _LONGEST:
        raise KeyRejected(f"{key[:60]!r} is no name of an entity: 1 to {_LONGEST} bytes of UTF-8")
    return key
