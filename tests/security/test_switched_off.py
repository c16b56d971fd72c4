"""Item 57: each defence is needed. Switched off, its test fails: this is `make check-security`."""

from pathlib import Path

import pytest
from switched_off import MUTATIONS

from mutation import Mutation, check


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_item_57_without_its_defence_a_test_fails(mutation: Mutation, tmp_path: Path) -> None:
    check(mutation, tmp_path, "--noconftest")  # no server is asked for
