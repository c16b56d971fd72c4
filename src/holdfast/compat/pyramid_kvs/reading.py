"""What sessions of both kinds are to who reads them: a mapping, by the names of Python 2 as well.

Law: it only looks.
"""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["Reading"]


class Reading:
    """A mapping of what stands in `_session_data`."""

    _session_data: Mapping[Any, Any]

    def __getitem__(self, key: Any) -> Any:
        return self._session_data[key]

    def __contains__(self, key: object) -> bool:
        return key in self._session_data

    def __iter__(self) -> Iterator[Any]:
        return iter(self._session_data)

    def __len__(self) -> int:
        return len(self._session_data)

    def __repr__(self) -> str:
        return repr(self._session_data)

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value under `key`, or `default`."""
        return self._session_data.get(key, default)

    def has_key(self, key: object) -> bool:
        """Return whether there is such a name."""
        return key in self

    def keys(self) -> Any:
        """Return the names."""
        return self._session_data.keys()

    def values(self) -> Any:
        """Return the values."""
        return self._session_data.values()

    def items(self) -> Any:
        """Return names with their values."""
        return self._session_data.items()

    def iterkeys(self) -> Iterator[Any]:
        """Return an iterator over the names."""
        return iter(self._session_data)

    def itervalues(self) -> Iterator[Any]:
        """Return an iterator over the values."""
        return iter(self._session_data.values())

    def iteritems(self) -> Iterator[Any]:
        """Return an iterator over names with their values."""
        return iter(self._session_data.items())
