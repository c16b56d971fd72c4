"""The file store: one file per key in a folder, shared by the threads and processes of one machine.

Law: a file is never changed, only replaced by a whole new one, so readers take no lock and see the
old row or the new. Writers of a key hold its stripe. A file's place is a hash of its key, so that
no key can name a place outside the folder; the key stands inside.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import TypeVar

from holdfast.bridge import BlockingStore
from holdfast.clock import Clock, wall
from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.keys import check
from holdfast.store.abilities import Change, left
from holdfast.store.address import Address
from holdfast.store.file.disk import names_in, removed, write_all
from holdfast.store.file.row import HEAD, Damaged, Row, pack, peek, unpack
from holdfast.store.file.stripes import STRIPES, Stripes, Waited
from holdfast.store.protocol import as_bytes

__all__ = ["FileStore", "open_url"]

T = TypeVar("T")
_NEVER = float("inf")
_LOCKS = "locks"
_AT_ONCE = 1 << 16  # bytes asked for by the first read: one read serves nearly every row


class FileStore(BlockingStore):
    """Keeps each value in a file of its own: safe between threads and processes of one machine.

    The folder is made at the first write, readable by its owner alone.

    Args:
        folder: Where the files lie; it belongs to the store alone.
        timeout: Seconds a write waits for other writers of the same stripe before `StoreTimeout`.
        clock: UTC seconds; every process that shares the folder must agree on it.
    """

    def __init__(
        self, folder: str | os.PathLike[str], *, timeout: float = 1.0, clock: Clock = wall
    ) -> None:
        self.folder = os.path.abspath(folder)  # noqa: PTH100 - the working directory may change
        super().__init__(f"file:///{self.folder}")
        self._timeout = timeout
        self._clock = clock
        self._closed = False
        self._stripes = Stripes(f"{self.folder}/{_LOCKS}", timeout)

    def get(self, key: str) -> bytes | None:
        check(key)
        self._check_open()
        place = self._place(key)
        with self._errors(place):
            row = self._read(key, place)
        return None if row is None else row.value

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        _check_all(keys)
        found = ((key, self.get(key)) for key in keys)
        return {key: value for key, value in found if value is not None}

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        if ttl is not None and ttl <= 0:
            self.delete(key)
            return
        with self._alone_with(key) as place:
            self._write(key, place, as_bytes(value), self._until(ttl))

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        _check_all(items)
        for key, value in items.items():
            self.put(key, value, ttl)

    def delete(self, key: str) -> bool:
        with self._alone_with(key) as place:
            try:
                there = self._read(key, place) is not None
            except Damaged:
                there = True
            removed(place)
            return there

    def delete_many(self, keys: Sequence[str]) -> int:
        _check_all(keys)
        return sum(self.delete(key) for key in keys)

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        with self._alone_with(key) as place:
            row = self._read(key, place)
            if (None if row is None else row.value) != old:
                return False
            self._replace(key, place, new, ttl)
            return True

    def apply(self, key: str, change: Change[T]) -> T:
        """See `CanApply`."""
        with self._alone_with(key) as place:
            row = self._read(key, place)
            present = None if row is None else row.value
            new, ttl, answer = change(present)
            if new is not present:
                self._replace(key, place, new, ttl)
            return answer

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement`."""
        with self._alone_with(key) as place:
            row = self._read(key, place) or Row(b"0", self._until(ttl))
            try:
                total = int(row.value) + by
            except ValueError as error:
                raise StoreUnavailable(self.name, f"{key!r} holds no integer") from error
            if row.expires > self._clock():
                self._write(key, place, b"%d" % total, row.expires)
            return total

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `CanScan`. Damaged files are passed over."""
        self._check_open()
        with self._errors():
            for _, key, expires in self._heads():
                if key.startswith(prefix) and expires > self._clock():
                    yield key

    def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """See `CanTellTtl`."""
        _check_all(keys)
        self._check_open()
        with self._errors():
            heads = ((key, _bytes_of(self._place(key), HEAD)) for key in keys)
            return left(((key, peek(head)[1]) for key, head in heads if head), self._clock())

    def sweep(self) -> int:
        """See `CanSweep`. Damaged files stay, for somebody to look at."""
        self._check_open()
        removed = 0
        with self._errors():
            for place, _, expires in self._heads():
                if expires <= self._clock():
                    removed += self._remove_if_expired(place)
        return removed

    def ping(self) -> None:
        self._check_open()
        with self._errors(), self._stripes.hold(0):
            return

    def close(self) -> None:
        self._closed = True
        self._stripes.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(self.name, "it is closed")

    def _until(self, ttl: float | None) -> float:
        return _NEVER if ttl is None else self._clock() + ttl

    @contextlib.contextmanager
    def _alone_with(self, key: str) -> Iterator[str]:
        """Hold the stripe of `key`; give its place. Every write of a row happens in here."""
        check(key)
        self._check_open()
        place = self._place(key)
        with self._errors(place), self._stripes.hold(self._stripe(place)):
            yield place

    @contextlib.contextmanager
    def _errors(self, place: str = "") -> Iterator[None]:
        """Translate what goes wrong, in this one place."""
        try:
            yield
        except Waited as error:
            message = f"others wrote for more than {self._timeout:g} s; nothing was done"
            raise StoreTimeout(self.name, message) from error
        except Damaged as error:
            message = f"{place} is damaged: {error}; `put` or `delete` its key to mend it"
            raise StoreUnavailable(self.name, message) from error
        except OSError as error:
            raise StoreUnavailable(self.name, str(error)) from error

    def _read(self, key: str, place: str) -> Row | None:
        """Return the live row at `place`."""
        data = _bytes_of(place)
        if data is None:
            return None
        row = unpack(key, data)
        return row if row.expires > self._clock() else None

    def _replace(self, key: str, place: str, new: bytes | None, ttl: float | None) -> None:
        if new is None or (ttl is not None and ttl <= 0):
            removed(place)
        else:
            self._write(key, place, as_bytes(new), self._until(ttl))

    def _write(self, key: str, place: str, value: bytes, expires: float) -> None:
        """Put a whole new file at `place`; its stripe is held, so its draft is ours alone."""
        draft = f"{self.folder}/{_LOCKS}/{self._stripe(place):02x}.new"
        try:
            file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                write_all(file, pack(key, value, expires))
            finally:
                os.close(file)
            try:
                os.replace(draft, place)  # noqa: PTH105 - paths are text here, for speed
            except FileNotFoundError:
                os.makedirs(os.path.dirname(place), 0o700, exist_ok=True)  # noqa: PTH103, PTH120
                os.replace(draft, place)  # noqa: PTH105
        except OSError:
            removed(draft)
            raise

    def _remove_if_expired(self, place: str) -> bool:
        with self._stripes.hold(self._stripe(place)), contextlib.suppress(Damaged):
            head = _bytes_of(place, HEAD)  # somebody may have renewed it since it was seen
            if head is None or peek(head)[1] > self._clock():
                return False
            removed(place)
            return True
        return False

    def _heads(self) -> Iterator[tuple[str, str, float]]:
        """Yield place, key and expiry of every file that has them."""
        for fan in names_in(self.folder):
            if fan == _LOCKS:
                continue
            for name in names_in(f"{self.folder}/{fan}"):
                place = f"{self.folder}/{fan}/{name}"
                head = _bytes_of(place, HEAD)
                with contextlib.suppress(Damaged):
                    if head is not None:
                        yield place, *peek(head)

    def _place(self, key: str) -> str:
        digest = blake2b(key.encode("ascii"), digest_size=20).hexdigest()
        return f"{self.folder}/{digest[:2]}/{digest[2:]}"

    def _stripe(self, place: str) -> int:
        return int(place[-2:], 16) % STRIPES


def _check_all(keys: Iterable[str]) -> None:
    for key in keys:
        check(key)


def _bytes_of(path: str, at_most: int = -1) -> bytes | None:
    """Return what the file holds, or None if there is none."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        data = os.read(file, _AT_ONCE if at_most < 0 else at_most)
        if at_most >= 0 or len(data) < _AT_ONCE:
            return data
        parts = [data]
        while part := os.read(file, 1 << 20):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(file)


def open_url(address: Address) -> FileStore:
    """Open `file:///folder`."""
    address.options.allow()
    return FileStore(address.disk_path("folder"), timeout=address.options.timeout())
