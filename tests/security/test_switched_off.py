"""Item 57: each defence is needed. Switched off, its test fails: this is `make check-security`."""

from pathlib import Path

import mutations_1_30
import mutations_keys
import pytest

from mutation import Mutation, check

MUTATIONS = [*mutations_1_30.MUTATIONS, *mutations_keys.MUTATIONS]


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_item_57_without_its_defence_a_test_fails(mutation: Mutation, tmp_path: Path) -> None:
    check(mutation, tmp_path, "--noconftest")  # no server is asked for
