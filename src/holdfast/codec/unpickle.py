"""Pickles of others, read without running what they say.

Law: a pickle names the classes it wants; only those on a list are ever looked up, and nothing on
the list runs code it is given. Anything else is a `CodecError` that names the class. Pickles that
Python 2 wrote are read as well.
"""

import io
import pickle
from collections.abc import Collection

from holdfast.errors import CodecError

__all__ = ["SAFE", "unpickle"]

SAFE = frozenset(
    {
        *(
            f"builtins.{name}"
            for name in "bool bytearray bytes complex dict float frozenset int list set str tuple".split()  # noqa: E501, SIM905
        ),
        *(f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta", "timezone")),
        *(f"collections.{name}" for name in ("Counter", "OrderedDict", "defaultdict", "deque")),
        "decimal.Decimal",
        "uuid.SafeUUID",
        "uuid.UUID",
    }
)
"""What may stand in a pickle without being allowed."""


class _Guarded(pickle.Unpickler):
    allowed: Collection[str] = ()

    def find_class(self, module: str, name: str) -> object:
        wanted = f"{module}.{name}"
        if wanted in SAFE or wanted in self.allowed:
            return super().find_class(module, name)
        raise CodecError(f"a pickle asks for {wanted}, which is not allowed", codec="pickle")


def unpickle(data: bytes, allowed: Collection[str] = ()) -> object:
    """Return what a pickle holds.

    Args:
        data: Any bytes whatever.
        allowed: Classes beside `SAFE`, each as `"module.Class"`.

    Raises:
        CodecError: It is no pickle, or asks for something that is not allowed.
    """
    reader = _Guarded(io.BytesIO(data), encoding="utf-8", errors="surrogateescape")
    reader.allowed = allowed
    try:
        return reader.load()
    except CodecError:
        raise
    except Exception as error:  # damaged pickles raise anything
        raise CodecError(f"not a pickle: {error}", codec="pickle") from error
