"""`Cache`: what users call from threads; `.aio` is the same cache for event loops.

Law: signatures and the quick way of a hit, nothing else. A fresh near value never enters an engine.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Never, Self, TypeVar, Unpack, cast, overload

from holdfast.bridge import drive
from holdfast.cache.aio import AsyncCache
from holdfast.cache.coding import Coding
from holdfast.cache.coherence import Coherence
from holdfast.cache.core import Core
from holdfast.cache.counts import Stats
from holdfast.cache.creation import NOTHING
from holdfast.cache.decorate import Collector, Decorator, decorator
from holdfast.cache.engine import Engine
from holdfast.cache.face import Engines, Face
from holdfast.cache.near import Near
from holdfast.cache.opening import bus_of, opened
from holdfast.cache.plan import Plan
from holdfast.cache.policy import Options, Policy
from holdfast.cache.space import Space
from holdfast.clock import Clock, wall
from holdfast.codec import Codec, codec_named
from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError
from holdfast.events import Observer, silent
from holdfast.keys import prefix_of
from holdfast.signing import KeyRing, Secrets
from holdfast.store.bus import Bus
from holdfast.store.protocol import Store

__all__ = ["Cache"]

T = TypeVar("T")
D = TypeVar("D")
_FEWEST_BYTES = 10_000


class Cache(Face):
    """Values under keys: near, in this process; far, in a store; or both.

    A value from the near tier is the very object that was put or created: do not change it.

    Args:
        store: A store, its URL, or a ready driver object; None keeps values in this process only.
        prefix: What stands before all keys of this application in the store.
        near: Whether to keep values in this process. False asks the store each time.
        max_entries: How many values the near tier holds.
        max_bytes: How many bytes the values of the near tier may weigh, by an estimate, at least
            10,000; one that weighs more than a tenth is not kept near. None: any.
        codec: Objects to bytes and back: `"msgpack"` (without loss), `"json"`, or a codec.
        compress_above: Values of more bytes than this are compressed in the store; None: none.
        secrets: Seals the values in the store (AES-256-GCM), newest first; None: they are plain.
        bus: How this process hears what others change, so that its near values may live as long as
            they are fresh: `"auto"` (the default) is what the store has, if it has one (Redis and
            Valkey: `"tracking"` or `"pubsub"`; PostgreSQL: `"listen"`); the URL of a Redis beside
            another store; or None.
        lease: How long a creation keeps other processes from doing the same work, in case its own
            is killed; 0 for no lease.
        deadline: How long the store may take for an answer, where it is given by URL. Default
            0.25 s.
        on_error: What becomes of an invalidation the store does not hear of. It is repeated in the
            background in any case, until `close`, and what it hits is not read from the store
            until then; `"raise"` raises the `StoreError` too, `"queue"` does not. Of a `put` that
            failed, the removal of the older value is repeated.
        clock: UTC seconds.
        observer: Told what happens; see `holdfast.observe`.
        enabled: False turns every read into a miss and keeps nothing; invalidations still happen.
        options: See `Options`: `ttl`, `grace`, `refresh_at`, `jitter`, `soft_timeout`,
            `hard_timeout`, `retry_after`, `none_ttl`, `near_ttl`, `sliding`, `tags`.

    Raises:
        ConfigError: An option or the URL cannot be meant.
        TypeError: There is no such option.
    """

    def __init__(  # noqa: PLR0913 - the names of the public contract
        self,
        store: Store | str | object | None = None,
        *,
        prefix: str = "",
        near: bool = True,
        max_entries: int = 10_000,
        max_bytes: int | None = None,
        codec: Codec | str = "msgpack",
        compress_above: int | None = None,
        secrets: Secrets | KeyRing | None = None,
        bus: Bus | str | bool | None = "auto",
        lease: Duration = 10.0,
        deadline: Duration | None = None,
        on_error: Literal["raise", "queue"] = "raise",
        clock: Clock = wall,
        observer: Observer = silent,
        enabled: bool = True,
        **options: Unpack[Options],
    ) -> None:
        if type(max_entries) is not int or max_entries < 1:
            raise ConfigError(f"max_entries={max_entries!r}: at least 1; near=False keeps none")
        if max_bytes is not None and (type(max_bytes) is not int or max_bytes < _FEWEST_BYTES):
            raise ConfigError(f"max_bytes={max_bytes!r}: at least 10,000; one value takes a tenth")
        if store is None and not near:
            raise ConfigError("near=False without a store keeps nothing: give a store")
        if on_error not in ("raise", "queue"):
            raise ConfigError(f"on_error={on_error!r}: 'raise' or 'queue'")
        policy = Policy().but(options)
        coding = Coding(codec_named(codec), compress_above=compress_above, secrets=secrets)
        kept = near and enabled
        tier = Near(max_entries if kept else 0, clock, max_bytes=max_bytes)
        far = opened(store, deadline)
        ear, beside = bus_of(bus, far, near=kept)
        core = Core(
            near=tier,
            coding=coding,
            clock=clock,
            observer=observer,
            prefix=prefix,
            coherence=Coherence(prefix_of(prefix), tier, observer, ear),
            enabled=enabled,
            lease=seconds(lease, option="lease"),
            queues=on_error == "queue",
            store=str(getattr(far, "name", type(far).__name__)),
        )
        super().__init__(Engines(core, far, beside), Space(prefix), policy)

    @property
    def aio(self) -> AsyncCache:
        """The async face of this very cache."""
        return AsyncCache(self._engines, self._space, self._policy)

    @overload
    def get(self, key: str) -> Any: ...
    @overload
    def get(self, key: str, default: D) -> Any | D: ...
    def get(self, key: str, default: Any = None) -> Any:
        """Return the fresh value of `key`, or `default`.

        A store that fails is a miss.
        """
        value = self._near(key)
        if value is NOTHING:
            value = drive(self._engine.get(self._space.item(key), self._policy))
        return default if value is NOTHING else value

    def put(self, key: str, value: Any, **options: Unpack[Options]) -> None:
        """Keep `value` under `key`, whatever was there.

        Args:
            key: Any text.
            value: What the codec can write; without a store, any object.
            options: See `Options`.

        Raises:
            CodecError: The codec cannot write the value.
            StoreError: The store failed; nothing is kept near.
        """
        policy = self._policy.but(options)
        drive(self._engine.put(self._space.item(key, policy.tags), value, policy))

    def delete(self, key: str) -> bool:
        """Forget `key`; return whether there was something. A creation under way is not kept.

        Raises:
            StoreError: The store failed: other processes may still have it.
        """
        return drive(self._engine.delete_many([self._space.item(key)])) > 0

    def __contains__(self, key: str) -> bool:
        return self.get(key, NOTHING) is not NOTHING

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the fresh values there are, in one round trip (two if some have tags)."""
        items = [self._space.item(key) for key in dict.fromkeys(keys)]
        return drive(self._engine.get_many(items, self._policy))

    def put_many(self, values: Mapping[str, Any], **options: Unpack[Options]) -> None:
        """Keep each value under its key; as `put`."""
        policy = self._policy.but(options)
        items = {self._space.item(key, policy.tags): value for key, value in values.items()}
        drive(self._engine.put_many(items, policy))

    def delete_many(self, keys: Iterable[str]) -> int:
        """Forget `keys`; return how many were there. As `delete`."""
        items = [self._space.item(key) for key in dict.fromkeys(keys)]
        return drive(self._engine.delete_many(items)) if items else 0

    def get_or_create(self, key: str, create: Callable[[], T], **options: Unpack[Options]) -> T:
        """Return the fresh value of `key`; if there is none, one caller runs `create`.

        Threads and tasks of this process that want the same key wait for that one; who finds a
        value within its grace is served that instead. If `create` fails, all who waited get its
        exception. See `holdfast.creation` for what may be said inside.

        Args:
            key: Any text.
            create: Returns the value; any exception passes.
            options: See `Options`; they count when the value is created.
        """
        value = self._near(key)
        if value is NOTHING:
            policy = self._policy.but(options)
            item = self._space.item(key, policy.tags)
            value = drive(self._engine.get_or_create(item, _steps(create), policy))
        return cast("T", value)

    def get_or_create_many(
        self,
        keys: Iterable[str],
        create: Callable[[list[str]], Mapping[str, T]],
        **options: Unpack[Options],
    ) -> dict[str, T]:
        """Return the fresh values of `keys`; those there are none of, `create` makes at once.

        They are read in one round trip. A key that another caller creates already is waited for.

        Args:
            keys: Any texts.
            create: Takes the keys that are missing and returns their values by key; a key it leaves
                out does not exist, is left out of the answer, and is asked for again next time.
            options: See `Options`; they count when the values are created. The timeouts count for
                values that another caller creates.
        """
        policy = self._policy.but(options)
        items = [self._space.item(key, policy.tags) for key in dict.fromkeys(keys)]

        async def run(missing: list[str]) -> Mapping[str, T]:
            return create(missing)

        return drive(self._engine.get_or_create_many(items, run, policy))

    def increment(self, key: str, by: int = 1, **options: Unpack[Options]) -> int:
        """Add `by` to the integer under `key` and return the sum; exact between processes.

        Missing counts as 0 and gets a ttl; an integer that is there keeps its own. With a store,
        counters are never kept near.

        Raises:
            TypeError: What is there is no integer.
            StoreError: The store failed; after `StoreTimeout` it may or may not have been counted.
        """
        policy = self._policy.but(options)
        return drive(self._engine.increment(self._space.item(key, policy.tags), by, policy))

    def invalidate_tags(self, *tags: str) -> None:
        """Forget every value that has one of `tags`, in the whole cache: one write per tag.

        Raises:
            StoreError: The store failed: other processes may still have them.
        """
        drive(self._engine.invalidate_tags(tags))

    def clear(self) -> None:
        """Forget every value of this cache or namespace and of the namespaces in it.

        Raises:
            StoreError: The store failed: other processes may still have them.
        """
        drive(self._engine.clear(self._space))

    def namespace(self, name: str) -> "Cache":
        """Return a part of this cache with keys and a `clear` of its own; tags are shared.

        Raises:
            ConfigError: The name is not made of 1 to 40 letters, digits, `_` and `-`.
        """
        part = object.__new__(type(self))
        Face.__init__(part, self._engines, self._space.within(name), self._policy)
        return part

    def stats(self) -> Stats:
        """Return what this cache, with all its namespaces and both faces, did in this process."""
        return self._core.stats()

    @overload
    def cached(
        self,
        *misplaced: Never,
        key: str | None = None,
        collect: Literal[False] = False,
        **options: Unpack[Options],
    ) -> Decorator: ...
    @overload
    def cached(
        self,
        *misplaced: Never,
        key: str | None = None,
        collect: Literal[True],
        **options: Unpack[Options],
    ) -> Collector: ...
    def cached(
        self,
        *misplaced: Never,
        key: str | None = None,
        collect: bool = False,
        **options: Unpack[Options],
    ) -> Decorator | Collector:
        """Return a decorator that keeps what a function returns.

        For `def` and `async def`, functions and methods. The decorated function has `key`, `peek`,
        `invalidate`, `refresh` and `uncached`, which take its arguments.

        Args:
            misplaced: None: the parentheses are needed even where there are no options.
            key: A template such as `"user:{user_id}"`, of arguments or their attributes; only those
                named count. None: the function's module and name, and all arguments.
            collect: Whether what is decorated are generator functions; they then return a list.
            options: See `Options`; tags may be templates too.

        Raises:
            ConfigError: A template names an argument that is not there; at a call: an argument has
                no stable form to make a key of.
        """
        if misplaced:
            raise ConfigError("write @cache.cached() with parentheses, and options by name")
        policy = self._policy.but(options)
        return decorator(lambda function: self._plan(function, policy, key), collect=collect)

    def _plan(self, function: Callable[..., Any], policy: Policy, key: str | None) -> Plan:
        """Return the plan of a function that is cached here; regions ask for it too."""
        return Plan(
            function,
            space=self._space,
            core=self._core,
            policy=policy,
            key=key,
            engine=self._engines.of(function),
        )

    def close(self) -> None:
        """Close the store and the bus. Twice is fine."""
        self._core.closed = True
        self._core.coherence.close()
        for store in (self._engines.beside, self._engines.store):
            if store is not None:
                store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _engine(self) -> Engine:
        return self._engines.blocking()


def _steps(create: Callable[[], T]) -> Callable[[], Awaitable[T]]:
    async def run() -> T:
        return create()

    return run
