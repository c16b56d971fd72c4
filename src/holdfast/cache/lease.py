"""Leases: one creation of a key at a time, whatever process or host it runs in.

Law: a lease is a record with a random token that ends by the store's own clock, so who was killed
delays the others by no more than its length and one pause. It is given back only by who holds it,
and removed by whoever invalidates: nobody need wait for what is doomed. It saves work and promises
nothing; that only one value is kept is the marker's business (`fill.py`).

Who waits holds no connection: he is woken by the bus or looks again after a pause, which grows with
the time he has waited, and is drawn at random.
"""

from holdfast.bridge import Waits
from holdfast.cache.core import Core
from holdfast.cache.far import Far
from holdfast.cache.space import Item
from holdfast.entry import make_stamp
from holdfast.errors import StoreError
from holdfast.locks import Flight

__all__ = ["Lease"]

_SHARE, _SHORTEST, _LONGEST = 0.1, 0.004, 0.25
_WOKEN, _DEAF = 8, 0.4  # times longer are the pauses of who is woken; but the killed wake nobody


class Lease:
    """The lease of one key, won or to be won.

    Args:
        core: The cache.
        far: Its far tier.
        item: What is created.
        waits: How to wait.
    """

    __slots__ = ("_began", "_core", "_far", "_item", "_key", "_token", "_waits", "_wake")

    def __init__(self, core: Core, far: Far, item: Item, waits: Waits) -> None:
        self._core = core
        self._far = far
        self._item = item
        self._waits = waits
        self._key = item.lease
        self._token: bytes | None = None
        self._wake: Flight | None = None
        self._began = waits.now()

    async def won(self) -> bool:
        """Return whether the caller may create: he won it, or nobody can say."""
        self._token = token = make_stamp()  # it may be ours, even if no answer comes
        try:
            won = await self._far.quiet.swap(self._key, None, token, self._core.lease)
        except StoreError as error:
            self._core.trouble("lease", error, self._item)
            return True
        if not won:
            self._token = None
        return won

    async def wait(self) -> None:
        """Wait until it is worth looking again; with a bus, at first only for the next time.

        Who is to be woken must say so before he looks: else the change may come in between.
        """
        wakes, key = self._core.coherence.wakes, self._item.far
        pause = min(max((self._waits.now() - self._began) * _SHARE, _SHORTEST), _LONGEST)
        pause *= 0.75 + 0.5 * self._core.draw()
        if not self._core.coherence.is_whole:
            await self._waits.sleep(pause)
            return
        if self._wake is not None:
            await self._waits.join(self._wake, min(pause * _WOKEN, _DEAF))
            wakes.forget(key)
        self._wake, _ = wakes.board(key)

    async def release(self) -> None:
        """Give it back, if it was won; nobody need wake us any more."""
        if self._wake is not None:
            self._core.coherence.wakes.forget(self._item.far)
            self._wake = None
        if self._token is not None:
            try:
                await self._far.quiet.swap(self._key, self._token, None)
            except StoreError as error:
                self._core.trouble("release", error, self._item)
                self._core.pending.owe(self._key, self._token)
            self._token = None
