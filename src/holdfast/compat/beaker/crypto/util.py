"""The hashes of Beaker, all of the standard library.

Law: names alone.
"""

import hmac
from hashlib import md5, sha1

hmac_sha1 = sha1

__all__ = ["hmac", "hmac_sha1", "md5", "sha1"]
