"""Beaker's document, reference of beaker.cache: its examples, with what they leave out put back (marked)."""

import sys

from beaker.cache import CacheManager, cache_region, cache_regions, region_invalidate

cache_regions.update(
    {
        "short_term": {"expire": 60, "type": "memory"},
        "long_term": {"expire": 1800, "type": "dbm", "data_dir": sys.argv[1]},  # /tmp
    }
)


# missing: a database
class database:
    asked = 0

    @classmethod
    def query(cls, search_term):
        cls.asked += 1
        return [f"{search_term} {cls.asked}.{number}" for number in range(9)]


@cache_region("short_term", "load_things")
def load(search_term, limit, offset):
    """Load from a database given a search term, limit, offset."""
    return database.query(search_term)[offset : offset + limit]


print(load("rabbits", 2, 0), load("rabbits", 2, 0), load("rabbits", 2, 1), load.__doc__)


class MyThing(object):
    @cache_region("short_term", "load_things")
    def load(self, search_term, limit, offset):
        """Load from a database given a search term, limit, offset."""
        return database.query(search_term)[offset : offset + limit]


print(MyThing().load("rabbits", 2, 0), MyThing().load("rabbits", 2, 0))


class MyThing(object):
    @classmethod
    # load_things in the document, which are those above
    @cache_region("short_term", "load_class_things")
    def load(cls, search_term, limit, offset):
        """Load from a database given a search term, limit, offset."""
        return database.query(search_term)[offset : offset + limit]


print(MyThing.load("rabbits", 2, 0), MyThing.load("rabbits", 2, 0))


@cache_region("short_term", "load_data")
def load(search_term, limit, offset):
    """Load from a database given a search term, limit, offset."""
    return database.query(search_term)[offset : offset + limit]


def invalidate_search(search_term, limit, offset):
    """Invalidate the cached storage for a given search term, limit, offset."""
    region_invalidate(load, "short_term", "load_data", search_term, limit, offset)


print(load("rabbits", 2, 0), load("rabbits", 2, 0))
invalidate_search("rabbits", 2, 0)
print(load("rabbits", 2, 0), load("rabbits", 2, 0))


class MyThing(object):
    @cache_region("short_term", "some_data")
    def load(self, search_term, limit, offset):
        """Load from a database given a search term, limit, offset."""
        return database.query(search_term)[offset : offset + limit]

    def invalidate_search(self, search_term, limit, offset):
        """Invalidate the cached storage for a given search term, limit, offset."""
        region_invalidate(self.load, "short_term", "some_data", search_term, limit, offset)


thing = MyThing()
print(thing.load("rabbits", 2, 0), MyThing().load("rabbits", 2, 0))
thing.invalidate_search("rabbits", 2, 0)
print(thing.load("rabbits", 2, 0), thing.load("rabbits", 2, 0))


# Assuming a cache object is available like:
dict_of_config_options = {"type": "memory", "data_dir": sys.argv[1], "cache_regions": cache_regions}
cache = CacheManager(**dict_of_config_options)  # the stars are missing


def load_the_data(search_term, limit, offset):  # missing
    return database.query(search_term)[offset : offset + limit]


def populate_things(invalidate=False):
    @cache.cache("mycache", type="file", expire=15)
    def load(search_term, limit, offset):
        return load_the_data(search_term, limit, offset)

    # If the results should be invalidated first
    if invalidate:
        cache.invalidate(load, "mycache", "rabbits", 20, 0, type="file")
    return load("rabbits", 20, 0)


print(populate_things()[0], populate_things()[0], populate_things(invalidate=True)[0])


def populate_things(invalidate=False):
    @cache.region("short_term", "some_data")
    def load(search_term, limit, offset):
        return load_the_data(search_term, limit, offset)

    # If the results should be invalidated first
    if invalidate:
        cache.region_invalidate(load, None, "some_data", "rabbits", 20, 0)
    return load("rabbits", 20, 0)


print(populate_things()[0], populate_things()[0], populate_things(invalidate=True)[0])


@cache_region("long_term", "load_things")
def load_for_long(search_term):
    return database.query(search_term)[:1]


print(load_for_long("moles"), load_for_long("moles"))
