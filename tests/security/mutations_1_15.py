"""The defences of items 1 to 15, each switched off once."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_IDS = "tests/security/test_id_items.py"
_LIFE = "tests/security/test_life_items.py"
_TOKEN = "session/token.py"
_TRANSPORT = "web/transport.py"
_EXCHANGE = "web/exchange.py"
_WSGI = "web/wsgi/sessions.py"
_ASGI = "web/asgi/sessions.py"
_ENGINE = "session/engine.py"
_ISSUING = "session/issuing.py"
_RECORDS = "session/records.py"
_POLICY = "session/policy.py"
_OPENS = (
    "            draft = self.judge(handle, raw, token)\n"
    "            return draft if draft.doubt is None else await self.look_closer(draft)\n"
)

MUTATIONS = [
    Mutation(
        "1: half of a token's bytes are no secret",
        _TOKEN,
        "    return secrets.token_urlsafe(BYTES)\n",
        "    import base64\n"
        "    half = secrets.token_bytes(BYTES // 2)\n"
        '    return base64.urlsafe_b64encode(bytes(BYTES // 2) + half).decode().rstrip("=")\n',
        f"{_IDS}::test_item_01_a_token_is_256_random_bits[memory-wsgi]",
    ),
    Mutation(
        "2: a token nobody knows is taken over",
        _ENGINE,
        _OPENS,
        "            draft = self.judge(handle, raw, token)\n"
        "            draft.token = token if raw is None else None\n"
        "            return draft if draft.doubt is None else await self.look_closer(draft)\n",
        f"{_IDS}::test_item_02_an_id_the_client_chose_is_never_used[memory-asgi]",
    ),
    Mutation(
        "3: the token of an expired session is used for the next",
        _ENGINE,
        _OPENS,
        "            draft = self.judge(handle, raw, token)\n"
        "            draft.token = token if draft.doubt is not None else None\n"
        "            return draft if draft.doubt is None else await self.look_closer(draft)\n",
        f"{_IDS}::test_item_03_the_id_of_what_is_gone_is_not_used_again[memory-asgi]",
    ),
    Mutation(
        "3: a session that is over stays in the store",
        _ENGINE,
        "            await self.records.discard(doubt.id, doubt.raw)\n",
        "            pass\n",
        f"{_IDS}::test_item_03_the_id_of_what_is_gone_is_not_used_again[memory-wsgi]",
    ),
    Mutation(
        "4: whatever a client sends is looked up",
        _TOKEN,
        "    if _well_formed(token) is None:\n        return None\n"
        "    return _sha256(token.encode()).hexdigest()\n",
        '    return _sha256(token.encode("utf-8", "replace")).hexdigest()\n',
        f"{_IDS}::test_item_04_a_malformed_token_never_reaches_the_store[memory-wsgi]",
    ),
    Mutation(
        "5: an empty session is stored",
        _ISSUING,
        "        if draft.begun or not (plain.data or plain.messages or sign_in or draft.csrf):\n",
        "        if draft.begun:\n",
        f"{_IDS}::test_item_05_invented_ids_at_rate_leave_no_row[memory-wsgi]",
    ),
    Mutation(
        "6: a logout of nobody sends a cookie",
        "session/draft.py",
        "        stored = self.forwarded if self.base is None else self.base.id\n",
        "        stored = self.forwarded if self.base is None else self.base.id\n"
        "        self.expire = True\n",
        f"{_IDS}::test_item_06_logging_out_nobody_leaves_no_row_and_no_cookie[memory-wsgi]",
    ),
    Mutation(
        "7: a query string counts as a cookie (WSGI)",
        _WSGI,
        "environ.get(self._header))",
        'environ.get(self._header) or environ["QUERY_STRING"])',
        f"{_IDS}::test_item_07_a_token_counts_in_the_cookie_alone[memory-wsgi]",
    ),
    Mutation(
        "7: a query string counts as a cookie (ASGI)",
        _ASGI,
        "        return Exchange(self.sessions, self.transport, raw)\n",
        '        raw = raw or scope["query_string"].decode()\n'
        "        return Exchange(self.sessions, self.transport, raw)\n",
        f"{_IDS}::test_item_07_a_token_counts_in_the_cookie_alone[memory-asgi]",
    ),
    Mutation(
        "8: the old token stays good",
        _ISSUING,
        "if await self._records.swap(base.id, base.raw, note, settings.times.note_ttl):",
        "if note:",
        f"{_IDS}::test_item_08_login_and_rotation_give_a_token_nobody_had[memory-wsgi]",
    ),
    Mutation(
        "8: the CSRF secret outlives a login",
        "session/operations.py",
        "        reserved.update(self.about, user=self.user, login=self.at)\n",
        "        reserved.update(self.about, user=self.user, login=self.at)\n"
        '        reserved["csrf"] = record.reserved.get("csrf", self.about["csrf"])\n',
        f"{_IDS}::test_item_08_login_replaces_the_csrf_token[memory-wsgi]",
    ),
    Mutation(
        "8: what belongs to another user comes along",
        "session/draft.py",
        "        if self.user not in (None, sign_in.user):\n            self.clear()\n",
        "",
        f"{_IDS}::test_item_08_a_login_of_another_takes_nothing_along[memory-wsgi]",
    ),
    Mutation(
        "9: a grace lasts as long as its note",
        _ENGINE,
        "            draft.doubt = found if now < found.until else None\n",
        "            draft.doubt = found if found.until else None\n",
        f"{_LIFE}::test_item_09_a_rotated_token_only_reads_and_only_for_its_grace[memory-wsgi]",
    ),
    Mutation(
        "9: a token in its grace writes",
        _ENGINE,
        "        elif draft.in_grace:\n            self._refuse(draft, changes)\n",
        "",
        f"{_LIFE}::test_item_09_a_rotated_token_only_reads_and_only_for_its_grace[memory-wsgi]",
    ),
    Mutation(
        "9: every rotation has a grace",
        _ISSUING,
        "            until = now + settings.times.rotate_grace if timed else 0.0\n",
        "            until = now + settings.times.rotate_grace\n",
        f"{_LIFE}::test_item_09_no_other_rotation_has_a_grace[memory-wsgi]",
    ),
    Mutation(
        "10: a logout leaves the record",
        _ENGINE,
        "            await self.records.destroy(handle)\n            if user is not None:\n",
        "            if user is not None:\n",
        f"{_LIFE}::test_item_10_logout_ends_record_and_cookie[memory-wsgi]",
    ),
    Mutation(
        "10: a cookie expires under other attributes than it was set with",
        _TRANSPORT,
        "        return expired(name, self._attributes)\n",
        '        return expired(name, "; Path=/")\n',
        f"{_LIFE}::test_item_10_logout_ends_record_and_cookie[memory-wsgi]",
    ),
    Mutation(
        "10: a logout leaves the cookie",
        _EXCHANGE,
        "elif outcome.expire or (names and event):",
        "elif names and event:",
        f"{_LIFE}::test_item_10_logout_ends_record_and_cookie[memory-wsgi]",
    ),
    *(
        Mutation(
            f"{test[10:12]}: {what}".removeprefix("0"),
            _ENGINE,
            "            if await self.records.write(base.raw, new):\n"
            "                draft.follow(self.records.remember(new))\n",
            "            present = await self.records.store.get(self.key + base.id)\n"
            "            if await self.records.write(present, new):\n"
            "                draft.follow(self.records.remember(new))\n",
            f"{_LIFE}::{test}",
        )
        for what, test in (
            (
                "a late write brings back what a logout ended",
                "test_item_11_what_ends_after_a_logout_brings_nothing_back[memory-asgi]",
            ),
            (
                "a late write brings back the old token",
                "test_item_12_what_ends_after_a_rotation_writes_to_the_new_record[login-memory-asgi]",
            ),
        )
    ),
    Mutation(
        "11: a late touch brings back what a logout ended",
        _RECORDS,
        "        return self.store.swap(self.key + new.id, old, new.raw, self._ttl(new.record))\n",
        "        return self.store.put(self.key + new.id, new.raw, self._ttl(new.record))\n",
        f"{_LIFE}::test_item_11_what_ends_after_a_logout_brings_nothing_back[memory-wsgi]",
    ),
    Mutation(
        "12: a reader follows the note of a rotation",
        _ENGINE,
        _OPENS,
        "            draft = self.judge(handle, raw, token)\n"
        "            if draft.forwarded is not None:\n"
        "                base = await self.records.again(draft.forwarded, 0)\n"
        "                return Draft(self._codec, self._clock(), base)\n"
        "            return draft if draft.doubt is None else await self.look_closer(draft)\n",
        f"{_LIFE}::test_item_12_what_ends_after_a_rotation_writes_to_the_new_record"
        "[rotate-memory-asgi]",
    ),
    Mutation(
        "13: no idle time ends a session",
        _POLICY,
        "        idle = now - record.seen >= self.idle_timeout + self.touch_every\n",
        "        idle = False\n",
        f"{_LIFE}::test_item_13_an_idle_session_is_over_by_our_own_clock[memory-wsgi]",
    ),
    Mutation(
        "14: a session in use never ends",
        _POLICY,
        "        return idle or now - record.created >= self.lifetime\n",
        "        return idle\n",
        f"{_LIFE}::test_item_14_nothing_extends_a_lifetime[memory-wsgi]",
    ),
    Mutation(
        "14: a rotation begins a new life",
        _ISSUING,
        '        return record._replace(reserved={**record.reserved, "rotated": now})\n',
        '        reserved = {**record.reserved, "rotated": now}\n'
        "        return record._replace(reserved=reserved, created=now)\n",
        f"{_LIFE}::test_item_14_nothing_extends_a_lifetime[memory-wsgi]",
    ),
    *(
        Mutation(
            f"14: {what}",
            "session/presets.py",
            old,
            new,
            f"{_LIFE}::test_item_14_presets_keep_to_the_figures_of_nist[memory-wsgi]",
        )
        for what, old, new in (
            (
                "a preset forgets how much `seen` may lag",
                "figures.idle - touch,",
                "figures.idle,",
            ),
            ("a preset may be laxer than its level", "    if value > most:\n", "    if False:\n"),
        )
    ),
    Mutation(
        "15: a sealed cookie counts as long as it is kept",
        "session/sealed.py",
        "self._settings.times.is_over(record, now)",
        "False",
        f"{_LIFE}::test_item_15_no_cookie_has_to_expire_for_a_session_to_be_over[cookie-wsgi]",
    ),
]
