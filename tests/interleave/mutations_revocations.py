"""The rules of cookie-only sessions, each with what happens without it."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_ORDERS = "tests/interleave/test_session_revocations.py"
_REVOKED = "tests/session/test_cookie_revocations.py"
_ALONE = "tests/session/test_session_cookie_only.py"
_CARRIER = "session/carrier.py"
_REVOCATIONS = "session/revocations.py"
_SEALED = "session/sealed.py"

MUTATIONS = [
    Mutation(
        "a logout ends only what came",
        _REVOCATIONS,
        "        await self._mark(handle, ENDED, ttl, follow=True)",
        "        await self._mark(handle, ENDED, ttl, follow=False)",
        f"{_ORDERS}::test_no_cookie_outlives_a_logout",
    ),
    Mutation(
        "a rotation asks nobody whether there was a logout",
        _CARRIER,
        '        else:\n            return self._dropped(draft, old.id, "destroyed")\n',
        "",
        f"{_ORDERS}::test_no_cookie_outlives_a_logout",
    ),
    Mutation(
        "a login gives way to a rotation",
        _CARRIER,
        "follow=sign_in is not None)",
        "follow=False)",
        f"{_ORDERS}::test_a_login_is_dropped_by_no_rotation",
    ),
    Mutation(
        "a rotation takes over what another rotated",
        _CARRIER,
        "follow=sign_in is not None)",
        "follow=True)",
        f"{_ORDERS}::test_of_two_rotations_one_cookie_is_sent",
    ),
    Mutation(
        "a lost answer is a no",
        _REVOCATIONS,
        "            except StoreTimeout as error:\n                lost = error\n",
        "            except StoreTimeout as error:\n                raise error from None\n",
        f"{_ORDERS}::test_an_answer_that_was_lost_is_looked_for",
    ),
    Mutation(
        "a rotation carries a session over into an epoch it was not kept in",
        _CARRIER,
        "None if sign_in is not None else old)",
        "None)",
        f"{_ORDERS}::test_who_is_kept_was_kept_each_time",
    ),
    Mutation(
        "who is kept is kept, dead or not",
        _REVOCATIONS,
        "    return _kept(row) != base.id or carried != _before(row)",
        "    return _kept(row) != base.id",
        f"{_ORDERS}::test_who_is_kept_was_kept_each_time",
    ),
    Mutation(
        "two who revoke overwrite each other",
        _REVOCATIONS,
        "            if await self._store.swap(key, row, new, self._longest):\n",
        "            await self._store.put(key, new, self._longest)\n            if True:\n",
        f"{_ORDERS}::test_of_two_who_revoke_the_others_one_is_left_at_most",
    ),
    Mutation(
        "the old cookie may write a new session over the new cookie",
        _CARRIER,
        "            draft.forwarded = came.base.id\n",
        "            pass\n",
        f"{_REVOKED}::test_8_the_old_cookie_is_dead_once_there_is_a_new_one",
    ),
    Mutation(
        "a logout is forgotten before its cookies are over",
        _REVOCATIONS,
        "        return self._settings.times.left(base.record, self._settings.clock()) + 2 * SKEW",
        "        return self._settings.times.ttl(base.record)",
        f"{_REVOKED}::test_39_a_logout_is_remembered_as_long_as_its_cookies_last",
    ),
    Mutation(
        "a handle may live longer than it was to",
        _SEALED,
        " or draft.renewed is not None\n",
        "\n",
        f"{_REVOKED}::test_a_session_that_is_remembered_has_another_handle",
    ),
    Mutation(
        "a session that does not fit has ended the old one",
        _SEALED,
        "        if len(token) > self._room:\n            raise",
        "        if False:\n            raise",
        f"{_REVOKED}::test_a_session_that_is_too_large_leaves_the_old_one",
    ),
    Mutation(
        "the length is that of the content",
        _SEALED,
        "bytes(-(len(raw) + 1) % _STEP)",
        "b''",
        f"{_ALONE}::test_the_length_tells_nothing_within_a_step",
    ),
    Mutation(
        "a cookie from the future counts",
        _SEALED,
        "        if ahead > SKEW or ",
        "        if ",
        f"{_ALONE}::test_38_neither_birth_nor_use_lies_ahead",
    ),
]
