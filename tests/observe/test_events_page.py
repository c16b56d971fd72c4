"""The page of events knows every event that is told."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "reference" / "observing.md").read_text(encoding="utf-8")
SOURCES = [path for path in (ROOT / "src").rglob("*.py") if "observe" not in path.parts]
TOLD = re.compile(r"\bobserver\(\s*\"((?:cache|session|limit|store)\.\w+)\"")


def test_every_event_has_its_row() -> None:
    told = {event for path in SOURCES for event in TOLD.findall(path.read_text(encoding="utf-8"))}
    assert {"cache.trouble", "cache.created", "store.called"} <= told  # the pattern finds them
    rows = set(re.findall(r"`(\w+\.\w+)`", PAGE)) | {"session.store_down"}
    assert told - rows == set()
