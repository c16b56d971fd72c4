"""What gunicorn serves in `test_preload.py`: its store was used before the workers were forked."""

import json
import os
from typing import Any
from urllib.parse import parse_qs

from holdfast import open_store

store = open_store(os.environ["HOLDFAST_PRELOAD"], timeout=5)
store.put("parent", b"%d" % os.getpid())  # a connection is open when the workers are forked
assert store.get("parent")


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Write a value that names its key, read it back, and count this request by swaps."""
    key = parse_qs(environ["QUERY_STRING"])["key"][0]
    store.put(key, f"value of {key}".encode(), ttl=60)
    seen = store.get(key)
    while True:
        count = store.get("count")
        if store.swap("count", count, b"%d" % (int(count or b"0") + 1)):
            break
    body = json.dumps({"pid": os.getpid(), "seen": (seen or b"").decode()}).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
