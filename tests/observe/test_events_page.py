"""The page of events knows every event that is told, and the log its level there."""

import logging
import re
from pathlib import Path

import pytest

from holdfast.observe.logging import LogObserver

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "reference" / "observing.md").read_text(encoding="utf-8")
SOURCES = [path for path in (ROOT / "src").rglob("*.py") if "observe" not in path.parts]
TOLD = re.compile(r"\bobserver\(\s*\"((?:cache|session|limit|store)\.\w+)\"")
TOLD_OF_SESSIONS = re.compile(r"tell\(\s*\"(\w+)\"")
CARRIED = re.compile(r"return \(?None, .*, \"(\w+)\"")
LEVELS = {"debug", "info", "warning", "error"}


def told() -> set[str]:
    found = set[str]()
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        found |= set(TOLD.findall(text))
        if path.parent.name == "session":
            found |= {f"session.{event}" for event in TOLD_OF_SESSIONS.findall(text)}
        if path.name in ("transport.py", "token_header.py"):
            found |= {f"session.{event}" for event in CARRIED.findall(text)}
    return found


def rows() -> dict[str, str]:
    """Return the events of the page and their levels."""
    found = dict[str, str]()
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5 and set(cells[3].split(", ")) <= LEVELS:
            events = re.findall(r"`((?:cache|session|limit|store)\.\w+)`", cells[1])
            levels = cells[3].split(", ")
            each = levels * len(events) if len(levels) == 1 else levels
            found.update(zip(events, each, strict=True))
    return found


def test_every_event_has_its_row() -> None:
    found = told()
    some = {"cache.trouble", "store.called", "session.rejected", "session.store_down"}
    assert (
        some | {"session.touch_failed", "session.chunks_rejected", "session.header_repeated"}
        <= found
    )  # they are found
    assert found - rows().keys() == set()
    of_sessions = {event for event in rows() if event.startswith("session.")}
    assert of_sessions - found == set()


def test_the_levels_of_the_page(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "holdfast")
    observer = LogObserver()
    for event in rows():
        observer(event, {})
    written = {vars(one)["holdfast_event"]: one.levelname.lower() for one in caplog.records}
    assert written == rows()
