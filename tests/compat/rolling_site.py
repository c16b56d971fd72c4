"""A worker of a site of Beaker's: answers requests for any of several sites, on either library.

rolling_site.py {SITE: OPTIONS}
"""

import json
import sys
import warnings
from typing import Any

from beaker.middleware import SessionMiddleware

from compat.beaker_walk import Browser, application

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sites: dict[str, Any] = {
        name: Browser(SessionMiddleware(application, options))
        for name, options in json.loads(sys.argv[1]).items()
    }
    for line in sys.stdin:
        asked = json.loads(line)
        browser = sites[asked["site"]]
        browser.cookies = asked["jar"]
        page = browser.get(f"/{asked['word']}")
        print(json.dumps([page, browser.cookies]), flush=True)  # noqa: T201 - its answer
