"""The store conformance suite: every sentence of the store contract, as tests for any store.

Law: a store's test file is ten lines. The suite uses what the contract promises and nothing else.

    class TestMyStore(StoreSuite):
        abilities = (CanIncrement, CanSweep)

        def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
            return MyStore(tmp_path / "rows", clock=clock)

A store whose server keeps the time sets `second` to what the server can tell apart and lets
`advance` sleep that long. It needs pytest and Hypothesis: `pip install 'holdfast[testing]'`. Tests
that start processes bear the mark `slow`.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from holdfast.errors import ConfigError
from holdfast.store.protocol import OpenStore
from holdfast.testing.clock import ManualClock

try:
    import hypothesis as _hypothesis  # noqa: F401 - asked for here, so that the message can say how
    import pytest
except ImportError as error:
    raise ConfigError("the conformance suite needs `pip install 'holdfast[testing]'`") from error

pytest.register_assert_rewrite(
    "holdfast.testing.store_abilities",
    "holdfast.testing.store_contract",
    "holdfast.testing.store_machine",
    "holdfast.testing.store_sharing",
)

from holdfast.testing.store_abilities import Abilities  # noqa: E402 - after the rewrite is asked for
from holdfast.testing.store_contract import Contract  # noqa: E402
from holdfast.testing.store_machine import compare_with_a_dict  # noqa: E402
from holdfast.testing.store_sharing import Sharing  # noqa: E402
from holdfast.testing.trial import Trial  # noqa: E402

__all__ = ["StoreSuite", "Trial"]


class StoreSuite(Contract, Sharing, Abilities):
    """Subclass it as `Test...` and give `open`.

    Attributes:
        second: How long the suite's second lasts, in seconds of the store's clock.
        between_processes: Whether processes share the rows.
        largest: Bytes of the largest value that is tried; for stores with a limit, what it takes.
        longest_key: Characters of the longest key; less than 250 only behind a prefix.
        abilities: The abilities the store must have; those it has besides are tested too.
        password: A password that is in the URL the store was opened with; must never show.
        examples: How many random runs are compared with a dict.
        steps: How many steps each of them has.
    """

    second: float = 1.0
    between_processes: bool = True
    largest: int = 1 << 20
    longest_key: int = 250
    abilities: tuple[type, ...] = ()
    password: str = ""
    examples: int = 25
    steps: int = 30

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        """Open the store for one test.

        Args:
            tmp_path: A new folder for each test, or a name for its rows. Called again with the same
                one, give another handle on the same rows.
            clock: The time, for stores that take a clock.
        """
        raise NotImplementedError

    def advance(self, clock: ManualClock, seconds: float) -> None:
        """Let `seconds` go by: move the clock, or sleep where a server keeps the time."""
        clock.advance(seconds)

    @pytest.fixture
    def trial(self, tmp_path: Path) -> Iterator[Trial]:
        """Open the store of one test, and close it afterwards."""
        trial = Trial(self, tmp_path)
        yield trial
        trial.close()

    def test_no_password_shows(self, trial: Trial) -> None:
        shown = f"{trial.opened.name} {trial.opened!r} {trial.opened.aio!r}"
        assert trial.opened.name
        assert not self.password or self.password not in shown

    def test_random_steps_agree_with_a_dict(self, tmp_path: Path) -> None:
        numbers = count()

        def fresh() -> Trial:
            folder = tmp_path / f"run-{next(numbers)}"
            folder.mkdir()
            return Trial(self, folder)

        compare_with_a_dict(fresh, examples=self.examples, steps=self.steps)
