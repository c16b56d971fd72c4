"""Sessions: what an application remembers about one visitor between requests.

`facade.py` and `aio.py` are what users call, `session.py` and `contents.py` what an application
holds during one request, `draft.py` and `view.py` what that request loaded and did. The sequences
against a store: `engine.py` loads and commits, `issuing.py` gives tokens, `users.py` knows who is
signed in where, `lock.py` makes requests take turns, `records.py` is one record at a time. In the
cookie alone: `carrier.py` and `sealed.py`, and `revocations.py` for what ended. Typed sessions:
`schema.py` and `typed.py`. `homes.py` and `incookie.py` are how each face reaches them; what is
written to a stream stands in `archive.py`, what both faces share in `settings.py`. The rest
decides, without I/O: `policy.py` when a session is over, `data.py` what a record is,
`operations.py` how what was done is done again.
"""

from holdfast.session.aio import AioSessions
from holdfast.session.facade import Sessions
from holdfast.session.outcome import Outcome
from holdfast.session.schema import Schema
from holdfast.session.session import AioSession, Session
from holdfast.session.users import SessionInfo

__all__ = ["AioSession", "AioSessions", "Outcome", "Schema", "Session", "SessionInfo", "Sessions"]
