"""Beaker's document, section Caching: its examples, with what they leave out put back (marked)."""

import sys

from beaker.cache import CacheManager, cache_region, cache_regions, region_invalidate
from beaker.util import parse_cache_config_options

here = sys.argv[1]  # stands for /tmp

cache_opts = {
    "cache.type": "file",
    "cache.data_dir": here + "/cache/data",
    "cache.lock_dir": here + "/cache/lock",
}


# missing: the regions, which it says are configured, and the data
@cache_region("short_term", "my_search_func")
def before_it_is_configured(search_param):
    return get_data(search_param)


cache = CacheManager(
    **parse_cache_config_options(
        {**cache_opts, "cache.regions": "short_term, long_term", "cache.short_term.expire": "60"}
    )
)
asked = []


def get_data(search_param):
    asked.append(search_param)
    return f"{len(asked)} {search_param}"


tmpl_cache = cache.get_cache("mytemplate.html", type="dbm", expire=3600)
search_param = "gophers"


def get_results():
    # do something to retrieve data
    data = get_data(search_param)
    return data


# Cache this function, based on the search_param, using the tmpl_cache
# instance from the prior example
results = tmpl_cache.get(key=search_param, createfunc=get_results)
print(results, tmpl_cache.get(key=search_param, createfunc=get_results))
tmpl_cache.clear()
print(tmpl_cache.get(key=search_param, createfunc=get_results))
tmpl_cache.remove_value(key=search_param)
print(tmpl_cache.get(key=search_param, createfunc=get_results))


# Assuming that cache is an already created CacheManager instance
@cache.cache("my_search_func", expire=3600)
def get_results(search_param):
    # do something to retrieve data
    data = get_data(search_param)
    return data


results = get_results("gophers")
print(results, get_results("gophers"), get_results("moles"))
cache.invalidate(get_results, "my_search_func", "gophers")
print(get_results("gophers"), get_results("moles"))


@cache.cache("my_search_func", type="file", expire=3600)
def get_results(search_param):
    # do something to retrieve data
    data = get_data(search_param)
    return data


print(get_results("gophers"))
cache.invalidate(get_results, "my_search_func", "gophers", type="file")
print(get_results("gophers"), get_results("gophers"))


@cache.region("short_term", "my_search_func")
def get_results(search_param):
    # do something to retrieve data
    data = get_data(search_param)
    return data


results = get_results("gophers")
print(results, get_results("gophers"))
cache.region_invalidate(get_results, None, "my_search_func", "gophers")
print(get_results("gophers"), get_results("gophers"))


@cache_region("short_term", "my_search_func")
def get_results(search_param):
    # do something to retrieve data
    data = get_data(search_param)
    return data


results = get_results("gophers")
print(results, get_results("gophers"))
region_invalidate(get_results, None, "my_search_func", "gophers")
print(get_results("gophers"), get_results("gophers"))
print(before_it_is_configured("gophers"), before_it_is_configured("gophers"))
print(sorted(cache_regions))
