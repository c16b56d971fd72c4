"""`holdfast migrate`: a whole store, copied or converted.

Law: knows no terminal. `Migration` does the work, a `Report` says what became of it.
"""

from holdfast.compat.migrate.report import LeftOut, Outcome, Report
from holdfast.compat.migrate.run import Migration

__all__ = ["LeftOut", "Migration", "Outcome", "Report"]
