"""Races that any session library can be run through, over HTTP: what two tabs do at once.

Law: what is said of a library is said of its behaviour alone; nothing here knows which it is.

    assert not run_races("http://127.0.0.1:8000").lost
"""

from holdfast.testing.races.play import run_races
from holdfast.testing.races.plays import RACES, Race
from holdfast.testing.races.report import RaceReport, Verdict

__all__ = ["RACES", "Race", "RaceReport", "Verdict", "run_races"]
