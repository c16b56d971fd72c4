"""Sessions that Beaker 1.10.0 wrote, at 1528000000 seconds since 1970, under the keys below.

Law: only data. Each holds n=1; the files are named by the ids of their sessions.
"""

from typing import Any

__all__ = ["COOKIES", "FILES", "KEYS", "PYTHON_2"]

KEYS: dict[str, Any] = {"validate_key": "validating"}
_ENCRYPTED: dict[str, Any] = {**KEYS, "encrypt_key": "encrypting", "crypto_type": "cryptography"}
_48 = {**_ENCRYPTED, "encrypt_nonce_bits": 48}

FILES: dict[str, tuple[dict[str, Any], str]] = {
    "plain": (
        {},
        (
            "gASVTAAAAAAAAAB9lIwHc2Vzc2lvbpR9lCiMDl9hY2Nlc3NlZF90aW1llEdB1sTbgAAAAIwOX2NyZWF0aW9uX3RpbW"
            "WUR0HWxNuAAAAAjAFulEsBdXMu"
        ),
    ),
    "encrypted": (
        _ENCRYPTED,
        (
            "gASVuQAAAAAAAAB9lIwHc2Vzc2lvbpSMqDFaOXcwVlR4Y3l2NldISjVsWHdNOWc9PUFkcFNNUjFxR1ZRempuSm05K2"
            "d1Um5aT3FCcUZyR1ZkdVRxQTNrRFE3Vk9VT20vQU5ldXJWTzlYVEhqdW03UUIxbUpaOXN6ZllMZDNWTEJNVWY4dHdh"
            "cm4vNXBmQThOZWhLYmtyaVFjaXFocitwL0tqUGRmem5nQ2hVZXUvQllPUFdVT2ZHeXZlODltakE9PZRzLg=="
        ),
    ),
    "48 bits": (
        _48,
        (
            "gASVqQAAAAAAAAB9lIwHc2Vzc2lvbpSMmGorZmNCVUZhT3RGTnZjZnVjNWlVRVd2RWFxOWhLSjNsS0Q3cGdnWmorRD"
            "lDQm5Fd3hhREhIV0FOTzBEQSt3bU9zNC9CRFpsQlpVMUxJSFVGUHVLSGgyeUkzY3FVZFVCR2ZUZEU3M1EvR1dJRXNP"
            "T3dBeGw2R01CRkdNek1aUFFlVlhmTFZwK0pucnI3WmJza1p5ZTVBdz09lHMu"
        ),
    ),
}
"""Options, and the bytes of the file in base64."""

COOKIES: dict[str, tuple[dict[str, Any], str]] = {
    "signed": (
        KEYS,
        (
            "13bedbc4227c3d8df97e87f76d8b2470d1826892gAJ9cQAoWAMAAABfaWRxAVggAAAANjU0MDdhOWNlNjk0NGJkNz"
            "ljODg2ODVlYWI5YTc0ZTVxAlgBAAAAbnEDSwFYDgAAAF9jcmVhdGlvbl90aW1lcQRHQdbE24AAAABYDgAAAF9hY2N"
            "lc3NlZF90aW1lcQVHQdbE24AAAAB1Lg=="
        ),
    ),
    "encrypted": (
        _ENCRYPTED,
        (
            "15fa71b8b1bf78fc3b67a1441947d9dcdb8f0f11a11p9IE8V7q9xok35k+ZTw==bGhywxm47E9YcNPe47sjbINL53"
            "UpAg3pUOvW3I9RpjGY7eorNA0PbyGD9IOmTgxFiODa/7jK5Fwh+lNwoWG4b/XL/h9dWPTvvAdFajuby1O0nJLu5p/k"
            "CIu4JYqY2rmhGWl5Gnm68RGYxU93woGI9iZQPv2mfGzjpJjIbSWDh+n6JvkYbqmhf+uAZmrDKQxvQjca9bLjzfSnBC"
            "A="
        ),
    ),
    "48 bits": (
        _48,
        (
            "d790a0ba5265f849f090799ba28aa133cc493816HMh6EVm6vE6hh/fj+g9luXERRhFryGtKv/tfpjpGdF2tmU7Zxl"
            "qmGZM2euUSAOfqus/jtEcyQNrJho2z0hxToNGwocFgwAp1S7a3k6a7LWrggQ3XwIAJte6OeKsHesSCUlLNN6eT+KIa"
            "PbrjxyG2c2RMWnpXReP92+6VfstZ2S59YKzo6SEk4fNe+AL27BoCVi220bcEddCl340OEUdA0nc="
        ),
    ),
    "json": (
        {**KEYS, "data_serializer": "json"},
        (
            "5c7f3504dbbd248d0848efa2ad64a8141b8db333eJxtikEKgCAQRa8Ss47QTBu7jNg4gosM0l1097R1f/PgvX+DSw"
            "G2AaLEFSloUhIXHaJVwrBXvJtoCC3DOEBuR9no6GJf05ldTQd3qWcU3ybRuyfiUjj89ecFKAQfcw=="
        ),
    ),
}
"""Options, and the value of the cookie."""

PYTHON_2 = (
    b"\x80\x02}q\x01U\x07sessionq\x02}q\x03(U\x0e_accessed_timeq\x04GA\xd6\xc4\xdb\x80\x00\x00\x00"
    b"U\x0e_creation_timeq\x05GA\xd6\xc4\xdb\x80\x00\x00\x00U\x01nq\x06K\x01U\x04nameq\x07X\x05\x00"
    b"\x00\x00J\xc3\xb6rgq\x08us."
)
"""The file of a session as Python 2 pickles it: names in its bytes, beside a unicode value."""
