"""What visitors write into keys: it reaches the log as one line, and does not fill the memory."""

import logging

import pytest

from holdfast.compat import settings


@pytest.fixture(autouse=True)
def _nothing_refused(caplog: pytest.LogCaptureFixture) -> None:
    settings.refused.clear()
    caplog.set_level(logging.WARNING, "holdfast.compat")


def test_a_key_does_not_begin_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    settings.tell("no\r\nERROR all is lost", "a\nb\x85c\u2028d\x1b[2J")
    assert caplog.messages == [r"a\nb\x85c\u2028d\x1b[2J: no\r\nERROR all is lost"]
    settings.refused.clear()


def test_reasons_with_keys_in_them_are_kept_up_to_a_thousand() -> None:
    for number in range(1200):
        settings.tell(f"{number} is no key", "here")
    assert len(settings.refused) == 1001
    assert settings.refused["other reasons"] == 200
    settings.tell("7 is no key", "here")
    assert settings.refused["7 is no key"] == 2
    settings.refused.clear()


def test_a_reason_is_no_longer_than_a_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    settings.tell("x" * 10_000, "y" * 10_000)
    assert [len(reason) for reason in settings.refused] == [500]
    assert len(caplog.messages[0]) < 1100
    settings.refused.clear()
