"""The MongoDB store: one document for each key, in one collection.

Law: writes wait for a majority and reads go to the primary. The server tells the time. `swap` and
`increment` are one atomic command each, sent once.
"""

from pymongo import AsyncMongoClient, MongoClient

from holdfast.errors import ConfigError
from holdfast.store.address import Address, Options
from holdfast.store.mongodb.clients import Clients, from_url, settings_of
from holdfast.store.mongodb.rows import MongodbStore, Place

__all__ = ["MongodbStore", "open_client", "open_url"]

_LEVELS = ("majority", "linearizable")


def open_url(address: Address) -> MongodbStore:
    """Open `mongodb://user:password@host,host/database?collection=holdfast`."""
    clients, database = from_url(address)
    return MongodbStore(_place(address.shown, database, address.options), clients)


def open_client(client: object, options: Options) -> MongodbStore:
    """Open a `MongoClient`, or with the settings of an `AsyncMongoClient`."""
    if not isinstance(client, MongoClient | AsyncMongoClient):
        raise ConfigError(
            f"{options.where}: give its MongoClient or AsyncMongoClient, and names as"
            " database= and collection="
        )
    options.allow("collection", "database", "readConcernLevel")
    database = options.text("database") or client.get_default_database("holdfast").name
    shown = f"{type(client).__name__} {database}"
    return MongodbStore(
        _place(shown, database, options), Clients(settings_of(client), given=client)
    )


def _place(shown: str, database: str, options: Options) -> Place:
    collection = options.text("collection", "holdfast")
    if not collection or "$" in collection or "\0" in collection or collection[:7] == "system.":
        raise ConfigError("collection: give a name without '$', not of the system's own")
    level = options.text("readConcernLevel", "majority")
    if level not in _LEVELS:
        raise ConfigError("readConcernLevel: majority or linearizable; less could be undone")
    return Place(f"{shown} {collection}", database, collection, options.timeout(), level)
