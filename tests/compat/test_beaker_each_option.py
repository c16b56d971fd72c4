"""Every option in Beaker's document counts, and a test would miss it."""

from pathlib import Path

import pytest

from compat import options_of_caches, options_of_servers, options_of_sessions
from compat.documents import options as document
from compat.option_probes import PROBES, Room

_MODULES = (options_of_caches, options_of_servers, options_of_sessions)  # which fill PROBES

NO_EFFECT = {
    "DatabaseNamespaceManager optimistic": "Beaker has dropped it; writers are always told apart"
}
"""Options of the document that change nothing, and why."""

_NEED = {
    "RedisNamespaceManager timeout",
    "NamespaceManager.set_value expiretime",
    "GoogleNamespaceManager table_name",
}
_each = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.server) if name in _NEED else name
        for name in sorted(PROBES)
    ],
)


@_each
def test_an_option_is_seen_and_would_be_missed(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    probe = PROBES[name]
    with_it, without = tmp_path / "with", tmp_path / "without"
    with_it.mkdir()
    without.mkdir()
    assert probe.seen(Room(with_it, request)) == probe.sees
    assert probe.seen(Room(without, request), dropped=True) != probe.sees


def test_every_option_of_the_document_has_one() -> None:
    assert _MODULES
    assert set(document.options()) == set(PROBES) | set(NO_EFFECT)
    assert not set(PROBES) & set(NO_EFFECT)


def test_the_lists_are_those_of_the_document() -> None:
    text = document.document("002")
    if text is None:
        pytest.skip("the document is not beside the repository")
    assert document.configuration_of(text) == document.CONFIGURATION
    assert document.signatures_of(text) == document.SIGNATURES
