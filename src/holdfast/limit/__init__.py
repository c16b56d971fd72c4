"""Rate limits: how many hits a key may make in a time, decided in the store.

`rate.py` reads "5/minute", `bucket.py` decides, `engine.py` says what happens first, `facade.py` is
what users see, `decision.py` is what they get.
"""

from holdfast.limit.decision import Decision, RateState
from holdfast.limit.facade import AsyncLimiter, Limiter

__all__ = ["AsyncLimiter", "Decision", "Limiter", "RateState"]
