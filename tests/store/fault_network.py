"""Faults of the network: black holes, connections refused and reset, replies cut.

Law: a deadline holds whatever happens; an answer is the answer to its own question, or an error.
"""

import itertools

import pytest
from face import Face
from fault_base import HOLES, KEYS, OPERATIONS, FaultBase, getting, value_of

from holdfast.errors import StoreError, StoreTimeout, StoreUnavailable
from servers.proxy import (
    Cut,
    Delay,
    Drip,
    Ending,
    Hold,
    Proxy,
    Reset,
    Swallow,
    deaf_port,
)

__all__ = ["NetworkFaults"]


class NetworkFaults(FaultBase):
    """What `get` and the others do; `swap` has its own tests."""

    # Black holes

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_a_black_hole_ends_at_the_deadline(
        self, proxy: Proxy, face: Face, operation: str
    ) -> None:
        for hole in HOLES.values() if operation in {"get", "swap"} else [Hold]:
            with proxy.under(hole()):
                self.check_timely(face.attempt(OPERATIONS[operation]))
            for key in KEYS[:3]:
                assert face.calmly(getting(key)) == value_of(key)

    @pytest.mark.parametrize("hole", HOLES)
    def test_a_crowd_in_a_black_hole(self, proxy: Proxy, face: Face, hole: str) -> None:
        self.check_sound(face)
        with proxy.under(HOLES[hole]()):
            asked = [KEYS[number % len(KEYS)] for number in range(face.crowd)]
            for outcome in self.crowd(face, asked):
                self.check_timely(outcome, slack=0.6)
        self.check_sound(face)

    def test_a_server_that_never_greets(self, proxy: Proxy, kind: str) -> None:
        with self.opened(proxy.port, kind) as face:
            with proxy.under(Swallow()):
                self.check_timely(face.attempt(getting("x")))
                for outcome in self.crowd(face, ["x"] * face.crowd):
                    self.check_timely(outcome, slack=0.6)
            assert face.calmly(getting("x")) is None

    def test_a_connect_that_hangs(self, kind: str) -> None:
        with deaf_port() as port, self.opened(port, kind) as face:
            self.check_timely(face.attempt(getting("x")))
            for outcome in self.crowd(face, ["x"] * face.crowd):
                self.check_timely(outcome, slack=0.6)

    def test_a_reply_that_drips(self, proxy: Proxy, face: Face) -> None:
        with proxy.under(Drip(self.timeout / 3)):
            self.check_timely(face.attempt(getting(KEYS[0])))
        self.check_sound(face)

    def test_a_server_that_reads_nothing(self, proxy: Proxy, face: Face) -> None:
        much = {f"b{number}": bytes(self.large) for number in range(30)}
        with proxy.under(Hold()):
            self.check_timely(face.attempt(lambda store: store.put_many(much)), slack=0.6)
        self.check_sound(face)

    def test_a_slow_answer_is_one(self, proxy: Proxy, face: Face) -> None:
        with proxy.under(Delay(self.timeout / 4)):
            assert face.calmly(getting("k01")) == value_of("k01")

    def test_late_replies_answer_nobody(self, proxy: Proxy, face: Face) -> None:
        for key in KEYS[:4]:
            with proxy.under(Delay(self.timeout * 1.5)):
                assert isinstance(face.attempt(getting(key)).error, StoreTimeout)
            for other in KEYS[8:11]:
                assert face.calmly(getting(other)) == value_of(other)
        self.check_sound(face)

    # Refused, reset, cut

    def test_refused_is_unavailable_at_once(self, proxy: Proxy, face: Face) -> None:
        self.check_sound(face)
        with proxy.refusing():
            for operation in OPERATIONS.values():
                outcome = face.attempt(operation)
                assert isinstance(outcome.error, StoreUnavailable)
                assert outcome.error.__cause__ is not None
                assert outcome.seconds <= self.timeout + self.slack
        self.check_sound(face)

    def test_connections_reset_while_idle(self, proxy: Proxy, face: Face) -> None:
        for _ in range(3):
            self.check_sound(face)
            proxy.reset()
            self.check_sound(face)
            proxy.reset()
            assert face.calmly(lambda store: store.swap("x", b"v", b"v")) is True

    @pytest.mark.parametrize("before", [False, True])
    def test_a_reset_in_mid_command(self, proxy: Proxy, face: Face, *, before: bool) -> None:
        with proxy.under(Reset(before=before)):
            for name, operation in OPERATIONS.items():
                outcome = face.attempt(operation)
                assert isinstance(outcome.error, StoreError), f"{name} had no answer, yet {outcome}"
                assert outcome.seconds <= self.timeout + self.slack
        self.check_sound(face)

    @pytest.mark.parametrize("how", [Ending.CLOSE, Ending.RESET])
    def test_a_get_cut_at_every_byte(self, proxy: Proxy, face: Face, how: Ending) -> None:
        for after, key in zip(itertools.count(), itertools.cycle(KEYS)):
            assert face.calmly(getting(key)) == value_of(key)
            with proxy.under(Cut(after, how)) as cut:
                self.check_own(face.attempt(getting(key)), key)
            if not cut.done:
                break
            other = KEYS[after % 7]
            assert face.calmly(getting(other)) == value_of(other)
        assert after > len(value_of("k00"))
        self.check_sound(face)

    def test_a_get_many_cut_at_every_byte(self, proxy: Proxy, face: Face) -> None:
        wanted = {key: value_of(key) for key in KEYS[:2]}
        for after in itertools.count():
            assert face.calmly(getting("k02")) == value_of("k02")
            with proxy.under(Cut(after, Ending.CLOSE)) as cut:
                outcome = face.attempt(lambda store: store.get_many(list(wanted)))
            assert outcome.error is not None or outcome.value == wanted
            if not cut.done:
                break
        assert after > sum(map(len, wanted.values()))
        self.check_sound(face)

    def test_a_cut_reply_and_silence(self, proxy: Proxy, face: Face) -> None:
        for after, key in zip((0, 1, 4, 9, 30), KEYS, strict=False):
            assert face.calmly(getting(key)) == value_of(key)
            with proxy.under(Cut(after, Ending.STALL)):
                self.check_own(face.attempt(getting(key)), key)
            other = KEYS[-1]
            assert face.calmly(getting(other)) == value_of(other)
        self.check_sound(face)
