"""Items 34 to 37 without their defences: what is switched off, and the test that must fail then."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_TIMES = "tests/test_signing_times.py"
_STRENGTH = "tests/test_signing_strength.py"
_RING = "signing/ring.py"

MUTATIONS = [
    Mutation(
        "34: the version of what is signed selects nothing",
        _RING,
        "        if len(header) < HEADER or header[0] != VERSION:\n",
        "        if len(header) < HEADER:\n",
        "tests/test_signing.py::test_an_unknown_version_does_not_verify",
    ),
    Mutation(
        "35: the oldest key signs",
        _RING,
        "        for key in self.all:\n            if key.activates",
        "        for key in reversed(self.all):\n            if key.activates",
        f"{_TIMES}::test_item_35_of_three_keys_the_newest_signs",
    ),
    Mutation(
        "35: a key signs before its time",
        _RING,
        "            if key.activates <= now and not key.revoked:\n",
        "            if not key.revoked:\n",
        f"{_TIMES}::test_item_35_a_key_that_is_not_active_verifies_and_does_not_sign",
    ),
    Mutation(
        "35: a revoked key verifies",
        _RING,
        "        return None if key is None or key.revoked else key\n",
        "        return key\n",
        "tests/test_signing.py::test_a_revoked_key_does_not_verify",
    ),
    Mutation(
        "35: an old key signs again when the signing one is revoked",
        "signing/lines.py",
        "    return (fresh(now), *changed)\n",
        "    return changed\n",
        f"{_TIMES}::test_a_revoked_signer_is_followed_by_a_new_key_and_never_by_an_old_one",
    ),
    Mutation(
        "36: a secret out of a document is taken",
        "signing/strength.py",
        "    if text in SAMPLES or text.startswith(_PREFIXES):\n",
        "    if text.startswith(_PREFIXES):\n",
        f"{_STRENGTH}::test_item_36_what_stands_in_documents_is_refused",
    ),
    Mutation(
        "36: a weak secret in base64 is taken",
        "signing/strength.py",
        "    for spelt in (bytes.fromhex, _from_base64):\n",
        "    for spelt in (bytes.fromhex,):\n",
        f"{_STRENGTH}::test_item_36_a_disguise_does_not_help",
    ),
    Mutation(
        "36: a ring is taken that others may read",
        "signing/file.py",
        "    if mode & _OTHERS:\n",
        "    if mode & 0:\n",
        "tests/test_signing_file.py::test_a_file_others_may_read_is_refused",
    ),
]
