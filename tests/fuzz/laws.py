"""All laws, by name: what is asserted of any bytes, and samples to begin with."""

from collections.abc import Callable
from typing import NamedTuple

from fuzz import (
    beaker_cookies,
    codings,
    cookies,
    forms,
    kvs_records,
    pickles,
    records,
    seals,
    storables,
    visits,
)

__all__ = ["LAWS", "Law"]


class Law(NamedTuple):
    """What holds of any bytes.

    Attributes:
        check: Asserts it of some.
        samples: Messages that are whole, or nearly; the fuzzer changes these.
    """

    check: Callable[[bytes], None]
    samples: list[bytes]


LAWS = {
    "cookies": Law(cookies.reads, cookies.HEADERS),
    "chunks": Law(cookies.chunks, cookies.HEADERS),
    "seals": Law(seals.seals, seals.SEALED),
    "tokens": Law(seals.tokens, seals.SEALED),
    "records": Law(records.records, records.RECORDS),
    "msgpack": Law(codings.msgpacks, codings.ENCODINGS),
    "json": Law(codings.jsons, codings.JSONS),
    "storable": Law(storables.storables, storables.STORABLES),
    "kvs": Law(kvs_records.kvs_records, kvs_records.RECORDS),
    "pickle": Law(pickles.pickles, pickles.PICKLES),
    "beaker": Law(beaker_cookies.beaker_cookies, beaker_cookies.BEAKER_HEADERS),
    "zlib": Law(codings.zlibs, codings.STREAMS),
    "fields": Law(forms.fields, forms.FIELDS),
    "bodies": Law(forms.bodies, forms.BODIES),
    "wsgi": Law(visits.wsgi_visits, cookies.HEADERS),
    "asgi": Law(visits.asgi_visits, cookies.HEADERS),
}
