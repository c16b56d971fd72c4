"""Each rule of the protocols is needed: take one out, and a test fails."""

from pathlib import Path

import mutations_cache
import mutations_revocations
import mutations_rotation
import mutations_session
import mutations_storms
import mutations_typed
import mutations_users
import pytest

from mutation import Mutation, check


@pytest.mark.slow
@pytest.mark.parametrize(
    "mutation",
    [
        *mutations_cache.MUTATIONS,
        *mutations_session.MUTATIONS,
        *mutations_rotation.MUTATIONS,
        *mutations_users.MUTATIONS,
        *mutations_storms.MUTATIONS,
        *mutations_revocations.MUTATIONS,
        *mutations_typed.MUTATIONS,
    ],
    ids=str,
)
def test_without_the_rule_a_test_fails(mutation: Mutation, tmp_path: Path) -> None:
    check(mutation, tmp_path)
