"""The Datastore store and trouble: lost races, lost answers, a server that hangs or comes back."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions

from holdfast import open_store
from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.abilities import CanIncrement
from holdfast.store.datastore.wire import Wire
from holdfast.store.protocol import OpenStore
from holdfast.testing.trial import in_processes, in_threads
from servers.datastore import DatastoreServer, run_datastore
from servers.process import free_port

pytestmark = pytest.mark.server
google: Any = exceptions  # its constructors have no types


@pytest.fixture
def store(datastore_server: DatastoreServer, tmp_path: Path) -> Iterator[OpenStore]:
    url = f"{datastore_server.url}?namespace={abs(hash(str(tmp_path)))}"
    with open_store(url, timeout=5) as opened:
        yield opened


class Commits:
    """Stands before the driver's commits.

    Attributes:
        errors: What the next ones raise, in order.
        lost: Whether they are done before they raise.
        count: How many there were.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.errors: list[Exception] = []
        self.lost = False
        self.count = 0
        whole = Wire.ask

        def ask(wire: Wire, method: str, request: Any, until: float) -> Any:
            if method != "commit":
                return whole(wire, method, request, until)
            self.count += 1
            error = self.errors.pop(0) if self.errors else None
            answer = whole(wire, method, request, until) if error is None or self.lost else None
            if error is not None:
                raise error
            return answer

        patch.setattr(Wire, "ask", ask)


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> Commits:
    return Commits(monkeypatch)


CHANGES: dict[str, Callable[[OpenStore], object]] = {
    "swap": lambda store: store.swap("k", b"1", b"2"),
    "swap out": lambda store: store.swap("k", b"1", None),
    "delete": lambda store: store.delete("k"),
    "increment": lambda store: isinstance(store, CanIncrement) and store.increment("k"),
}
every_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


@every_change
def test_a_transaction_that_lost_is_tried_again(
    store: OpenStore, commits: Commits, change: Callable[[OpenStore], object]
) -> None:
    store.put("k", b"1")
    commits.count = 0
    commits.errors = [google.Aborted("contention"), google.Aborted("contention")]
    assert change(store)
    assert commits.count == 3
    assert store.get("k") in {b"2", None}


@every_change
@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        google.DeadlineExceeded,
        google.ServiceUnavailable,
        google.InternalServerError,
        google.Unknown,
        google.Cancelled,
    ],
)
def test_a_commit_without_an_answer_is_never_repeated(
    store: OpenStore,
    commits: Commits,
    change: Callable[[OpenStore], object],
    error: type[Exception],
    lost: bool,
) -> None:
    store.put("k", b"1")
    commits.count, commits.lost = 0, lost
    commits.errors = [error("no answer")]
    with pytest.raises(StoreTimeout) as caught:
        change(store)
    assert isinstance(caught.value.__cause__, error)
    assert commits.count == 1
    commits.lost = False
    assert (store.get("k") == b"1") is not lost


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (google.PermissionDenied, r"no; it needs the role roles/datastore\.user"),
        (google.NotFound, "make the database"),
        (google.ResourceExhausted, "no$"),
        (google.InvalidArgument, "no$"),
    ],
)
def test_a_refusal_is_unavailable(
    store: OpenStore, commits: Commits, error: type[Exception], said: str
) -> None:
    commits.errors = [error("no"), error("no")]
    with pytest.raises(StoreUnavailable, match=said):
        store.put("k", b"v")
    with pytest.raises(StoreUnavailable, match=said):
        store.swap("k", None, b"v")
    assert store.get("k") is None


def test_plain_writes_are_repeated(store: OpenStore, commits: Commits) -> None:
    commits.lost = True
    commits.errors = [google.ServiceUnavailable("gone"), google.Aborted("contention")]
    store.put("k", b"v")
    assert commits.count == 3
    assert store.get("k") == b"v"


def test_endless_contention_ends_at_the_deadline(
    datastore_server: DatastoreServer, commits: Commits
) -> None:
    commits.errors = [google.Aborted("contention")] * 1000
    with open_store(datastore_server.url, timeout=1) as store:
        start = time.monotonic()
        with pytest.raises(StoreTimeout, match="nothing was done"):
            store.swap("contended", None, b"v")
        assert time.monotonic() - start < 4
        assert 3 < commits.count < 40
        commits.errors = []
        assert store.get("contended") is None


def test_a_refused_swap_leaves_no_transaction_open(
    store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bytes] = []
    whole = Wire.ask

    def ask(wire: Wire, method: str, request: Any, until: float) -> Any:
        if method == "rollback":
            ended.append(request.transaction)
            if len(ended) > 3:
                raise google.ServiceUnavailable("gone")
        return whole(wire, method, request, until)

    monkeypatch.setattr(Wire, "ask", ask)
    store.put("k", b"words")
    assert not store.swap("k", b"other", b"v")
    assert not store.delete("missing")
    assert isinstance(store, CanIncrement)
    with pytest.raises(StoreUnavailable, match="no integer"):
        store.increment("k")
    assert len(ended) == 3
    assert all(ended)
    assert not store.swap("k", b"other", b"v"), "whether the rollback worked is no matter"


def test_threads_that_contend_lose_nothing(store: OpenStore) -> None:
    assert isinstance(store, CanIncrement)
    counting: CanIncrement = store

    def work(_: int) -> None:
        for _ in range(10):
            counting.increment("n")

    in_threads(8, work)
    assert store.get("n") == b"80"


@pytest.mark.slow
def test_a_server_that_hangs_is_left_at_the_deadline() -> None:
    with run_datastore() as own, open_store(own.url, timeout=1) as store:
        store.put("k", b"v")
        own.server.pause()
        calls: list[Callable[[], object]] = [
            lambda: store.get("k"),
            lambda: store.put("k", b"w"),
            lambda: store.swap("k", b"v", b"w"),
            lambda: store.delete("k"),
            store.ping,
            lambda: asyncio.run(store.aio.get("k")),
        ]
        for call in calls:
            start = time.monotonic()
            with pytest.raises(StoreTimeout):
                call()
            assert 0.9 < time.monotonic() - start < 4
        own.server.go_on()
        store.ping()
        assert store.get("k") in {b"v", b"w", None}


@pytest.mark.slow
def test_a_server_that_is_gone_and_one_that_comes_back() -> None:
    with run_datastore() as own, open_store(own.url, timeout=1) as store:
        store.put("k", b"v")
        own.server.kill()
        start = time.monotonic()
        with pytest.raises(StoreUnavailable) as caught:
            store.get("k")
        assert isinstance(caught.value.__cause__, google.ServiceUnavailable)
        with pytest.raises(StoreUnavailable):
            store.swap("k", b"v", b"w")
        assert time.monotonic() - start < 10
        own.server.start()
        assert store.swap("k", None, b"new"), "it kept nothing"
        assert asyncio.run(store.aio.get("k")) == b"new"
        own.server.kill()
        own.server.start()
        assert store.get("k") is None, "a dead connection is found out"


def test_who_is_refused_until_the_end_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATASTORE_EMULATOR_HOST", f"127.0.0.1:{free_port()}")
    with open_store("datastore://holdfast/Row", timeout=0.03) as store:
        for _ in range(100):
            with pytest.raises(StoreUnavailable):
                store.get("k")


@pytest.mark.slow
def test_parent_and_children_speak_after_a_fork(store: OpenStore) -> None:
    store.put("k", b"v")

    def work(number: int) -> None:
        assert store.get("k") == b"v"
        assert store.swap(f"child-{number}", None, b"v")
        store.close()

    for _ in range(5):
        assert list(in_processes(3, work)) == [0, 0, 0]
        for number in range(3):
            assert store.delete(f"child-{number}")
    assert asyncio.run(store.aio.get("k")) == b"v"


def connections(server: DatastoreServer) -> int:
    """Return how many connections to a server are open in this machine."""
    port = f":{server.server.port:04X}"
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return sum(words[2].endswith(port) and words[3] == "01" for words in lines)


@pytest.mark.slow
def test_as_many_connections_as_callers_and_none_afterwards() -> None:
    with run_datastore() as own:
        store = open_store(own.url, timeout=10)

        def work(number: int) -> None:
            for _ in range(1200):
                store.get(f"k{number}")

        async def tasks() -> None:
            for _ in range(10):
                await asyncio.gather(*(store.aio.get("k") for _ in range(40)))
                cancelled = [asyncio.create_task(store.aio.get("k")) for _ in range(20)]
                await asyncio.sleep(0)
                for task in cancelled:
                    task.cancel()
                await asyncio.gather(*cancelled, return_exceptions=True)

        in_threads(8, work)
        asyncio.run(tasks())
        assert 1 <= connections(own) <= 45, "8 threads, and the threads of one loop's pool"
        store.close()
        until = time.monotonic() + 10
        while connections(own) and time.monotonic() < until:
            time.sleep(0.01)
        assert connections(own) == 0


def test_cancelled_tasks_disturb_nobody(store: OpenStore) -> None:
    store.put("k", b"v")

    async def body() -> None:
        for _ in range(10):
            tasks = [asyncio.create_task(store.aio.get("k")) for _ in range(20)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(one, asyncio.CancelledError) for one in found)
        assert await store.aio.get("k") == b"v"

    asyncio.run(body())
    assert store.get("k") == b"v"


def test_closing_beside_running_calls(datastore_server: DatastoreServer) -> None:
    ended: list[int] = []

    with open_store(datastore_server.url, timeout=5) as store:

        def work(number: int) -> None:
            if number == 0:
                time.sleep(0.05)
                store.close()
                return
            with contextlib.suppress(StoreUnavailable):
                while True:
                    store.get("k")
            ended.append(number)

        in_threads(6, work)
    assert sorted(ended) == [1, 2, 3, 4, 5], "each was told, and with no other error"
