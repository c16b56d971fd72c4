"""Items 31 to 43 without their defences: what is switched off, and the test that must fail then."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_SEALS = "tests/security/test_seal_items.py"
_CODECS = "tests/security/test_codec_items.py"
_SEALED_PICKLE = "test_item_41_pickle_is_imported_by_a_name_that_warns_and_reads_what_was_sealed"
_SEAL = "codec/seal.py"
_BINDS = "header + self._purpose_data + _bound_data(bound)"

_SEALED = [
    Mutation(
        "31: nobody looks whether sealed bytes were changed",
        _SEAL,
        "            return self._cipher(key, salt).decrypt(\n"
        "                salt[:_NONCE_BYTES], data[_BODY:], self._associated(header, bound)\n"
        "            )\n",
        "            from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes\n"
        '            derived = key.derive("seal", self.purpose)\n'
        "            own = algorithms.AES(blake2b(salt, digest_size=32, key=derived).digest())\n"
        '            mode = modes.CTR(salt[:_NONCE_BYTES] + b"\\0\\0\\0\\2")\n'
        "            return Cipher(own, mode).decryptor().update(data[_BODY:-_TAG_BYTES])\n",
        f"{_SEALS}::test_item_31_each_byte_of_what_is_sealed_counts[cookie-wsgi]",
    ),
    Mutation(
        "31: every message has the same nonce",
        _SEAL,
        "        salt = os.urandom(_SALT_BYTES)\n",
        "        salt = bytes(_SALT_BYTES)\n",
        f"{_SEALS}::test_item_31_nothing_is_sealed_twice_alike[memory-wsgi]",
    ),
    Mutation(
        "32: what was sealed for another purpose opens",
        _SEAL,
        "        self.purpose = purpose\n",
        '        self.purpose = purpose = ""\n',
        f"{_SEALS}::test_item_32_what_was_sealed_for_something_else_is_no_session[cookie-wsgi]",
    ),
    Mutation(
        "32: what was sealed for another cookie opens",
        _SEAL,
        _BINDS,
        "header + self._purpose_data",
        f"{_SEALS}::test_item_32_what_was_sealed_for_something_else_is_no_session[cookie-asgi]",
    ),
    Mutation(
        "33: a row that is not sealed is read as it is",
        "session/records.py",
        "        except CodecError:\n            return None\n",
        "        except CodecError:\n            return raw\n",
        f"{_SEALS}::test_item_33_what_is_not_sealed_is_read_by_nobody[memory-wsgi]",
    ),
    Mutation(
        "33: a cookie that is not sealed is read as it is",
        "session/sealed.py",
        "            base = self._read(self._seal.unseal(message, self._bound_name), now)\n"
        "        except CodecError:\n",
        "            base = self._read(self._seal.unseal(message, self._bound_name), now)\n"
        "        except CodecError:\n            base = self._read(message, now)\n"
        "        except OSError:\n",
        f"{_SEALS}::test_item_33_what_is_not_sealed_is_read_by_nobody[cookie-wsgi]",
    ),
    Mutation(
        "34: a version nobody writes is read",
        _SEAL,
        "        if header[:1] != _VERSION_BYTE or len(data) < OVERHEAD:\n",
        "        header = _VERSION_BYTE + header[1:]\n        if len(data) < OVERHEAD:\n",
        f"{_SEALS}::test_item_34_the_head_of_a_seal_selects_and_decides_nothing[cookie-wsgi]",
    ),
    Mutation(
        "34: under an unknown key id the newest key is tried",
        _SEAL,
        "        key = self.ring.find(header[1:])\n",
        "        key = self.ring.find(header[1:]) or self.ring.newest\n"
        "        header = _VERSION_BYTE + key.id\n",
        f"{_SEALS}::test_item_34_the_head_of_a_seal_selects_and_decides_nothing[cookie-asgi]",
    ),
    Mutation(
        "35: the cookie of an old key is not sent anew",
        "session/sealed.py",
        "            draft.old_key = True\n",
        "            pass\n",
        f"{_SEALS}::test_item_35_keys_change_and_only_a_revoked_one_signs_out[cookie-wsgi]",
    ),
    Mutation(
        "36: a short secret is taken",
        "signing/strength.py",
        "    if len(data) < _LEAST_BYTES:\n",
        "    if len(data) < 8:\n",
        f"{_SEALS}::test_item_36_weak_secrets_refuse_to_start",
    ),
    Mutation(
        "37: a token is looked up as it is",
        "session/token.py",
        "    return _sha256(token.encode()).hexdigest()\n",
        "    return token\n",
        f"{_SEALS}::test_item_37_a_token_is_looked_up_by_its_hash[memory-wsgi]",
    ),
    Mutation(
        "37: signatures are compared up to the first difference",
        "signing/ring.py",
        "hmac.compare_digest(mac, _mac(key, header, data, purpose))",
        "mac == _mac(key, header, data, purpose)",
        f"{_SEALS}::test_item_37_macs_are_compared_in_constant_time[memory-wsgi]",
    ),
    Mutation(
        "37: CSRF tokens are compared up to the first difference",
        "session/csrf.py",
        "hmac.compare_digest(_xor(raw[:BYTES], raw[BYTES:]), secret)",
        "_xor(raw[:BYTES], raw[BYTES:]) == secret",
        f"{_SEALS}::test_item_37_macs_are_compared_in_constant_time[memory-asgi]",
    ),
    Mutation(
        "38: the future is believed",
        "session/sealed.py",
        "        if ahead > SKEW or ",
        "        if ",
        f"{_SEALS}::test_item_38_times_are_under_the_seal_and_the_future_is_not_believed"
        "[cookie-wsgi]",
    ),
    Mutation(
        "39: nobody asks which cookies were ended",
        "session/carrier.py",
        "            dead = None if rows is None else await rows.look(base)\n",
        "            dead = None\n",
        f"{_SEALS}::test_item_39_with_a_store_of_revocations_a_logout_holds[memory-wsgi]",
    ),
    Mutation(
        "40: the store has the tokens",
        "session/token.py",
        "    return _sha256(token.encode()).hexdigest()\n",
        "    return token\n",
        f"{_SEALS}::test_item_40_nothing_in_a_store_is_good_for_a_cookie[memory-wsgi]",
    ),
    Mutation(
        "40: records that are to be sealed are not",
        "session/opening.py",
        "        seal=None if secrets is None else Seal(KeyRing(secrets), _PURPOSE),\n",
        "        seal=None,\n",
        f"{_SEALS}::test_item_40_nothing_in_a_store_is_good_for_a_cookie[memory-asgi]",
    ),
    Mutation(
        "40: a sealed row is good for any session",
        _SEAL,
        _BINDS,
        "header + self._purpose_data",
        f"{_SEALS}::test_item_40_a_sealed_row_is_good_in_its_own_place_only[memory-wsgi]",
    ),
]

_READ = [
    Mutation(
        "41: what msgpack cannot read is unpickled",
        "codec/msgpack.py",
        '                raise _error("something follows the value")\n',
        "                import pickle\n                return pickle.loads(data)\n",
        f"{_CODECS}::test_item_41_nothing_that_is_read_runs[msgpack-memory-wsgi]",
    ),
    Mutation(
        "41: what JSON cannot read is unpickled",
        "codec/json.py",
        '            raise _error(f"not readable: {_reason(error)}") from error\n',
        "            import pickle\n            return pickle.loads(data)\n",
        f"{_CODECS}::test_item_41_nothing_that_is_read_runs[json-memory-wsgi]",
    ),
    Mutation(
        "41: bytes nobody sealed are unpickled",
        "codec/pickle.py",
        "        pickled = self._seal.unseal(data)\n",
        "        try:\n            pickled = self._seal.unseal(data)\n"
        "        except CodecError:\n            pickled = data\n",
        f"{_CODECS}::{_SEALED_PICKLE}",
    ),
    Mutation(
        "41: pickle can be chosen by its name",
        "codec/__init__.py",
        '    if codec == "json":\n',
        '    if codec in ("json", "pickle"):\n',
        f"{_CODECS}::{_SEALED_PICKLE}",
    ),
    Mutation(
        "42: what nests deeper than is written is read",
        "codec/msgpack.py",
        "            return value if len(data) <= MAX_DEPTH else _shallow(value, data)\n",
        "            return value\n",
        f"{_CODECS}::test_item_42_a_bomb_is_a_value_that_is_not_there[msgpack-memory-wsgi]",
    ),
    Mutation(
        "42: of a name that stands there twice the last counts",
        "codec/json.py",
        "object_pairs_hook=_unique, ",
        "",
        f"{_CODECS}::test_item_42_a_bomb_is_a_value_that_is_not_there[json-memory-wsgi]",
    ),
    Mutation(
        "42: an int has any number of digits",
        "codec/json.py",
        "    if len(digits) > _MAX_DIGITS or (value := int(digits)).bit_length() > _MAX_BITS:\n",
        "    if (value := int(digits)) is None:\n",
        f"{_CODECS}::test_item_42_a_bomb_is_a_value_that_is_not_there[json-memory-asgi]",
    ),
    Mutation(
        "42: a record is read that cannot be written",
        "session/data.py",
        "    return record if _is_writable(record) else None\n",
        "    return record\n",
        f"{_CODECS}::test_item_42_a_bomb_in_place_of_a_record_is_a_new_session[memory-wsgi]",
    ),
    Mutation(
        "43: a bomb goes off",
        "codec/compress.py",
        "    stream = zlib.decompressobj()\n",
        "    return zlib.decompress(short)\n",
        f"{_CODECS}::test_item_43_what_unfolds_is_bounded[memory-wsgi]",
    ),
    Mutation(
        "43: everything is compressed",
        "session/opening.py",
        '    _one_of("when_full", when_full, ("evict", "refuse"))\n',
        "    from holdfast.codec import Chain\n"
        "    from holdfast.codec.compress import Compress\n"
        "    codec = Chain(codec_named(codec), Compress())\n",
        f"{_CODECS}::test_item_43_nothing_is_compressed_unless_that_is_asked_for[memory-wsgi]",
    ),
]

MUTATIONS = [*_SEALED, *_READ]
