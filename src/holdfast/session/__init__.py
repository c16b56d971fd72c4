"""Sessions: what an application remembers about one visitor between requests.

`facade.py` is what users call, `session.py` what an application holds during one request,
`draft.py` what that request loaded and did, `engine.py` the sequences against a store, `sealed.py`
the same without a store, `homes.py` how each face reaches them. `policy.py`, `data.py`,
`operations.py`, `token.py` and `csrf.py` decide, without I/O.
"""

from holdfast.session.engine import Outcome
from holdfast.session.facade import AioSessions, Sessions
from holdfast.session.session import AioSession, Session

__all__ = ["AioSession", "AioSessions", "Outcome", "Session", "Sessions"]
