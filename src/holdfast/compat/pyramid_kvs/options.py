"""Settings of pyramid_kvs: JSON in an .ini file, or a dict in code.

Law: pure; what is returned is a copy.
"""

import json
from collections.abc import Mapping
from typing import Any

from holdfast.errors import ConfigError

__all__ = ["options_of"]


def options_of(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the options under a setting; `type` is the other spelling of `kvs`.

    Raises:
        ConfigError: It is no JSON object.
    """
    given = settings[name]
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError as error:
            raise ConfigError(f"{name}: not readable as JSON: {error}") from error
    if not isinstance(given, Mapping):
        raise ConfigError(f'{name}: write a JSON object, such as {{"kvs": "redis"}}')
    options = dict(given)
    if "type" in options:
        options.setdefault("kvs", options.pop("type"))
        options.pop("type", None)
    return options
