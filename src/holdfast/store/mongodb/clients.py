"""Clients of MongoDB: from a URL or around a ready one, one per process.

Law: nothing connects here. What is wrong with an address is a `ConfigError` that never repeats what
may hold a password. A `MongoClient` that was given is used in its process and never closed.
"""

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from holdfast.errors import ConfigError
from holdfast.store.address import Address, listed

__all__ = ["AnyClient", "Clients", "from_url"]

AnyClient = MongoClient[dict[str, Any]] | AsyncMongoClient[dict[str, Any]]

_OURS = {"collection", "prefix", "timeout", "readConcernLevel"}
_FIXED = {"w": "majority", "readPreference": "primary", "journal": "true"}
_MEND = "mongodb:// takes the options of MongoDB's connection strings"


class _Ours(MongoClient[dict[str, Any]]):
    """Does not warn if the program ends before anybody closed it."""

    def __del__(self) -> None:
        """Leave the rest to the end of its threads and sockets."""


class Clients:
    """Makes clients from settings, or hands out a given one in its own process.

    Args:
        settings: The arguments of a `MongoClient`.
        given: A ready client; one for event loops lends its settings alone.
    """

    def __init__(self, settings: Mapping[str, Any], given: AnyClient | None = None) -> None:
        self._settings = {**settings, "connect": False}
        self._given = given
        self._pid = os.getpid()

    def make(self) -> MongoClient[dict[str, Any]]:
        """Return the client of this process."""
        if isinstance(self._given, MongoClient) and os.getpid() == self._pid:
            return self._given
        return _Ours(**self._settings)

    def close(self, client: MongoClient[dict[str, Any]]) -> None:
        """Close a client of ours."""
        if client is not self._given:
            client.close()


def from_url(address: Address) -> tuple[Clients, str]:
    """Return the clients that `address` means, and the name of the database.

    Raises:
        ConfigError: It or an option is wrong.
    """
    hosts = address.hosts(27017)
    if "+srv" in address.scheme and (len(hosts) > 1 or re.search(r":[0-9]+$", address.netloc)):
        raise ConfigError("mongodb+srv:// has one host and no port: its DNS record names them")
    rest = {name: _text(name, value) for name, value in _driver_options(address).items()}
    if "connecttimeoutms" not in map(str.lower, rest):
        # for its look-outs: at 20 s they hang on a silent server, at ours they cut what still waits
        rest["connectTimeoutMS"] = str(max(1, int(address.options.timeout() * 2000)))
    bare = address.bare if address.path else f"{address.bare}/"
    query = f"?{urlencode(rest)}" if rest else ""
    try:
        # With +srv this would ask the DNS already; all else is the same.
        parsed = parse_uri(bare.replace("mongodb+srv:", "mongodb:", 1) + query)
    except OSError as error:
        raise ConfigError(f"a file the URL names cannot be read: {error}") from error
    except (PyMongoError, ValueError, TypeError) as error:
        about = str(error) if _harmless(error, rest) else "escape '@:/%' in user and password"
        raise ConfigError(f"{_MEND}: {about}") from None
    return Clients({"host": bare + query}), parsed["database"] or "holdfast"


def _driver_options(address: Address) -> dict[str, object]:
    rest = {name: value for name, value in address.options.given.items() if name not in _OURS}
    for name, value in list(rest.items()):
        if name.lower() == "timeoutms":
            raise ConfigError("timeoutMS: write timeout=, in seconds; it is for whole operations")
        for fixed, only in _FIXED.items():
            if name.lower() == fixed.lower():
                if _text(name, value) != only:
                    raise ConfigError(
                        f"{name}: a store writes to a majority and reads from the primary, else"
                        " `swap` could be undone: leave it out"
                    )
                del rest[name]
    return rest


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ConfigError(f"{name}: give text, a number or a flag; for anything else, a MongoClient")


def _harmless(error: Exception, rest: Mapping[str, str]) -> bool:
    """Return whether a message is about an option: those about hosts may repeat a password."""
    words = str(error).lower()
    return any(name.lower() in words for name in rest) and "password" not in listed(tuple(rest))


def settings_of(client: AnyClient) -> dict[str, Any]:
    """Return what a ready client was made with.

    Raises:
        ConfigError: This version of pymongo does not tell.
    """
    settings = getattr(client, "_init_kwargs", None)
    if not isinstance(settings, dict):
        raise ConfigError(
            "this pymongo does not tell how a client was made: give open_store the URL instead"
        )
    return dict(settings)
