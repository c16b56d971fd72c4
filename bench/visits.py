"""What a visitor's session holds, for every session middleware alike.

Law: twelve names, about 500 bytes, one of them a time. Where a middleware of a table writes JSON,
the time is text for every row of that table. Each column is one kind of page.
"""

from datetime import UTC, datetime
from typing import Any

__all__ = ["COLUMNS", "SECRET", "TWELVE", "TWELVE_IN_JSON", "cookie_of"]

COLUMNS = ("untouched", "read", "read a list", "read+write")
SECRET = "UqGca1a_vrAKSUqIZi92PQ0Ya2jY24M8AgAYjAUXi7U"

TWELVE: dict[str, Any] = {
    "user_id": 4711,
    "name": "Grace Hopper",
    "email": "grace@example.org",
    "roles": ["editor", "reviewer"],
    "locale": "en-GB",
    "timezone": "Europe/London",
    "cart": [{"sku": "tea-0042", "count": 2}, {"sku": "mug-0007", "count": 1}],
    "visits": 12,
    "discount": 0.15,
    "consent": True,
    "signed_in": datetime(2024, 6, 7, 8, 9, 10, 111213, tzinfo=UTC),
    "next": "/orders/2024/0815?page=2",
}

TWELVE_IN_JSON = TWELVE | {"signed_in": TWELVE["signed_in"].isoformat()}


def cookie_of(headers: list[tuple[str, str]]) -> str:
    """Return the Cookie header a browser would send after a response with these headers."""
    pairs = [value.split(";")[0] for name, value in headers if name.lower() == "set-cookie"]
    assert pairs, "the first visit sets a cookie"
    return "; ".join(pairs)
