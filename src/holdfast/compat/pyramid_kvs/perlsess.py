"""`request.perlsess` of pyramid_kvs: the session of a Perl program beside us, read-only.

Law: nothing is written, and nothing in the record is run. A session that is not there, or cannot be
read, is an empty one.
"""

import logging
from collections.abc import Mapping
from typing import Any

from holdfast.compat.pyramid_kvs.cookies import cookie_of
from holdfast.compat.pyramid_kvs.kvs import KVS
from holdfast.compat.pyramid_kvs.options import options_of
from holdfast.compat.pyramid_kvs.reading import Reading
from holdfast.errors import KeyRejected

__all__ = ["PerlSession"]

_log = logging.getLogger(__name__)


class PerlSession(Reading):
    """A mapping of what Perl froze; see `holdfast.codec.storable` for what becomes of its values.

    Attributes:
        cookie_name: The cookie that holds the record's key.
        client: The `KVS` it lies in.
    """

    cookie_name: str | None = None
    client: Any = None

    def __init__(self, request: Any) -> None:
        self.request = request
        self._session_key = cookie_of(request, self.cookie_name or "")
        self._session_data = self._read()

    def _read(self) -> dict[Any, Any]:
        try:
            found = self.client.get(self._session_key)
        except (KeyRejected, UnicodeError):  # a cookie holds anything
            found = None
        if isinstance(found, dict):
            return found
        if self._session_key:
            _log.warning("no session of Perl could be read under the cookie %s", self.cookie_name)
        return {}

    def __call__(self, request: object) -> "PerlSession":  # noqa: ARG002 - as it was
        """Return itself."""
        return self

    @classmethod
    def connect(cls, settings: Mapping[str, Any]) -> None:
        """Take `kvs.perlsess` of the settings, while Pyramid is configured."""
        defaults = {"key_prefix": "perlsess::", "codec": "storable"}
        options = defaults | options_of(settings, "kvs.perlsess")
        cls.cookie_name = options.pop("cookie_name", "session_id")
        cls.client = KVS(**options)
