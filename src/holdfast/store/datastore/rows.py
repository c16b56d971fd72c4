"""Rows: how a key and its value stand in Datastore.

Law: the name of the entity is the key itself, but for names that Datastore keeps for itself
(`__...__`), which get a dot behind them. `value` is a blob, `expires` a date and time or missing;
neither is indexed: an index on times that grow is a hot spot, and the expiry policy needs none.
"""

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from google.cloud.datastore_v1.types import Entity, Key, Mutation, PartitionId, Value

from holdfast.errors import StoreUnavailable

__all__ = ["Place", "Row", "as_date", "chunks", "fitting"]

LARGEST = 1_048_487
"""Bytes of the largest value: a property that is not indexed takes 1 MiB less 89 bytes, and the
whole entity, key and names included, less than 1 MiB."""

_ROOM = 1_048_572  # bytes of the largest entity
_MANY = 500  # writes of one commit
_HEAVY = 8 * 1024 * 1024  # bytes of one commit: the service takes 10 MiB
_RESERVED = re.compile(r"__.*__", re.DOTALL)
_LAST = 253_402_300_799.0  # the last second of the year 9999, and of all dates there


class Row(NamedTuple):
    """A value, and when it expires: UTC seconds, or None."""

    value: bytes
    expires: float | None


@dataclass(frozen=True)
class Place:
    """Where the rows of a store are.

    Attributes:
        name: What the store is called.
        project: The Google Cloud project.
        kind: The kind of the entities.
        namespace: Their namespace; empty for the default one.
        database: Their database; empty for the default one.
    """

    name: str
    project: str
    kind: str
    namespace: str = ""
    database: str = ""

    @property
    def partition(self) -> PartitionId:
        """The partition the rows are in."""
        return PartitionId(
            project_id=self.project, database_id=self.database, namespace_id=self.namespace
        )

    def key(self, key: str) -> Key:
        """Return the entity's key for a key."""
        name = f"{key}." if _RESERVED.fullmatch(key.rstrip(".")) else key
        return self.named(name)

    def named(self, name: str) -> Key:
        """Return the entity's key of that very name."""
        return Key(partition_id=self.partition, path=[{"kind": self.kind, "name": name}])

    def first(self, prefix: str) -> Key:
        """Return where the keys that begin with `prefix` may begin, at the latest."""
        while _RESERVED.fullmatch(prefix):  # no bound may have such a name
            prefix = prefix[:-1]
        return self.named(prefix)

    def read(self, entity: Entity) -> tuple[str, Row]:
        """Return the key and the row of an entity.

        Raises:
            StoreUnavailable: It was not written by us.
        """
        name: str = entity.key.path[-1].name
        key = name[:-1] if name.endswith(".") and _RESERVED.fullmatch(name.rstrip(".")) else name
        if "value" not in entity.properties:
            raise StoreUnavailable(self.name, f"{key!r} holds an entity that is not ours")
        value: bytes = entity.properties["value"].blob_value
        if "expires" not in entity.properties:
            return key, Row(value, None)
        return key, Row(value, entity.properties["expires"].timestamp_value.timestamp())

    def write(self, key: str, row: Row) -> Mutation:
        """Return what writes a row.

        Raises:
            StoreUnavailable: It is too large for an entity.
        """
        properties = {"value": Value(blob_value=row.value, exclude_from_indexes=True)}
        if row.expires is not None:
            properties["expires"] = Value(
                timestamp_value=as_date(row.expires), exclude_from_indexes=True
            )
        entity = Entity(key=self.key(key), properties=properties)
        return Mutation(upsert=fitting(self.name, entity, row.value))

    def removal(self, key: str) -> Mutation:
        """Return what removes a row."""
        return Mutation(delete=self.key(key))

    def batches(self, writes: list[Mutation]) -> Iterator[list[Mutation]]:
        """Yield `writes` in parts that one commit takes."""
        batch: list[Mutation] = []
        weight = 0
        for write in writes:
            size = Mutation.pb(write).ByteSize()
            if batch and (len(batch) == _MANY or weight + size > _HEAVY):
                yield batch
                batch, weight = [], 0
            batch.append(write)
            weight += size
        if batch:
            yield batch


def chunks(keys: Sequence[str]) -> Iterator[list[str]]:
    """Yield `keys`, each once, in parts that one transaction takes."""
    once = list(dict.fromkeys(keys))
    return (once[start : start + _MANY] for start in range(0, len(once), _MANY))


def fitting(store: str, entity: Entity, value: bytes) -> Entity:
    """Return an entity whose largest property is `value`.

    Raises:
        StoreUnavailable: It is too large.
    """
    if len(value) > LARGEST or Entity.pb(entity).ByteSize() > _ROOM:
        raise StoreUnavailable(
            store,
            f"the value of {entity.key.path[-1].name!r} has {len(value)} bytes; an entity has room"
            " for 1 MiB: compress it, or keep such values in another store",
        )
    return entity


def as_date(seconds: float) -> dt.datetime:
    """Return UTC seconds as a date."""
    return dt.datetime.fromtimestamp(min(seconds, _LAST), dt.UTC)
