"""Items 1 to 30 without their defences: what is switched off, and the test that must fail then."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_IDS = "tests/security/test_id_items.py"
_LIFE = "tests/security/test_life_items.py"
_COOKIES = "tests/security/test_cookie_items.py"
_ANSWERS = "tests/security/test_answer_items.py"
_TOKENS = "tests/security/test_header_items.py"
_TOKEN = "session/token.py"
_COOKIE = "web/cookie.py"
_TRANSPORT = "web/transport.py"
_EXCHANGE = "web/exchange.py"
_HEADERS = "web/headers.py"
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

_IDENTITY = [
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
        '        return record._replace(reserved={**record.reserved, "turned": now})\n',
        '        reserved = {**record.reserved, "turned": now}\n'
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

_COOKIE_RULES = [
    *(
        Mutation(
            f"16: {what}",
            _TRANSPORT,
            old,
            new,
            f"{_COOKIES}::test_item_16_the_defaults_are_the_safe_ones[memory-wsgi]",
        )
        for what, old, new in (
            ("scripts may read it", '        text += "; HttpOnly"\n', '        text += ""\n'),
            ("plain http may carry it", '        text += "; Secure"\n', '        text += ""\n'),
            (
                "its name has no prefix",
                'cookie.path != "/" else _HOST\n',
                'cookie.path != "/" else ""\n',
            ),
            ("other sites' posts carry it", '"None"] = "Lax"\n', '"None"] = "None"\n'),
        )
    ),
    *(
        Mutation(
            f"17: {case}",
            _TRANSPORT,
            old,
            "False",
            f"{_COOKIES}::test_item_17_what_browsers_would_refuse_is_an_error_at_start[{case}]",
        )
        for case, old in (
            ("__Host- has no domain", "name.startswith(_HOST) and cookie.domain is not None"),
            ("__Host- has path='/'", 'name.startswith(_HOST) and cookie.path != "/"'),
            ("secure=False", "not (cookie.secure or cookie.insecure)"),
            ("__Host- without Secure", "cookie.insecure and prefixed"),
            ("Partitioned without Secure", "cookie.partitioned and cookie.insecure"),
        )
    ),
    Mutation(
        "18: nobody hears that a cookie travels unprotected",
        _TRANSPORT,
        "        if self.insecure:\n            warnings.warn(",
        "        if False:\n            warnings.warn(",
        f"{_COOKIES}::test_item_18_plain_http_has_to_be_asked_for[memory-wsgi]",
    ),
    Mutation(
        "19: all that looks blank is trimmed",
        _COOKIE,
        '_BLANK = " \\t"\n',
        '_BLANK = " \\t\\x0b\\x0c\\x1c\\x1f\\x85\\xa0"\n',
        f"{_COOKIES}::test_item_19_only_space_and_tab_are_trimmed[memory-wsgi]",
    ),
    Mutation(
        "20: a nameless cookie may be ours",
        _COOKIE,
        'header[at] == ";"',
        'header[at] in ";="',
        f"{_COOKIES}::test_item_20_a_nameless_cookie_is_not_ours[memory-wsgi]",
    ),
    Mutation(
        "21: names are percent-decoded",
        _COOKIE,
        "    before, found, rest = header.partition(name)\n",
        "    from urllib.parse import unquote\n"
        "    header = unquote(header)\n"
        "    before, found, rest = header.partition(name)\n",
        f"{_COOKIES}::test_item_21_a_name_is_never_decoded[memory-wsgi]",
    ),
    Mutation(
        "22: of two cookies the first is used",
        _TRANSPORT,
        "        if len(found) == 1:\n",
        "        if found:\n",
        f"{_COOKIES}::test_item_22_of_two_cookies_of_our_name_none_is_used[memory-wsgi]",
    ),
    Mutation(
        "22: names of another case are ours",
        _COOKIE,
        "    before, found, rest = header.partition(name)\n",
        '    header = header.replace("__host-", "__Host-")\n'
        "    before, found, rest = header.partition(name)\n",
        f"{_COOKIES}::test_item_22_a_name_in_other_case_is_not_ours[memory-wsgi]",
    ),
    Mutation(
        "23: values are unquoted",
        _COOKIE,
        '        return [rest[1:].partition(";")[0].strip(_BLANK)]\n',
        "        from http.cookies import _unquote\n"
        '        return [_unquote(rest[1:].partition(";")[0].strip(_BLANK))]\n',
        f"{_COOKIES}::test_item_23_a_value_is_never_unquoted[memory-wsgi]",
    ),
    Mutation(
        "24: nobody hears what is so big",
        "session/sealed.py",
        "        if len(token) > self._room:\n            raise",
        "        if False:\n            raise",
        f"{_COOKIES}::test_item_24_what_does_not_fit_is_an_error_before_anything_is_sent"
        "[cookie-wsgi]",
    ),
    Mutation(
        "24: nobody hears that a line is too long for some proxies",
        _TRANSPORT,
        "            if len(line) > MAX_PAIR:\n",
        "            if False:\n",
        f"{_COOKIES}::test_item_24_a_long_line_is_warned_of[cookie-wsgi]",
    ),
    Mutation(
        "24: an attribute may be longer than browsers read",
        _COOKIE,
        "    if len(value) > MAX_ATTRIBUTE:\n",
        "    if False:\n",
        f"{_COOKIES}::test_item_24_a_long_line_is_warned_of[cookie-wsgi]",
    ),
    *(
        Mutation(
            f"25: {what}",
            _TRANSPORT,
            old,
            new,
            f"{_COOKIES}::test_item_25_chunks_count_as_a_whole_or_not_at_all[cookie-wsgi]",
        )
        for what, old, new in (
            (
                "chunks are joined whosever they are",
                "return token if _digest(token) == counted[2] else None\n",
                "return token\n",
            ),
            (
                "a chunk too many is passed over",
                "        if len(chunks) != len(names) + 1 or not all(",
                "        if not all(",
            ),
            (
                "of two chunks of one name the later is used",
                "        if len(chunks) < len(ours):\n",
                "        if False:\n",
            ),
            (
                "spoilt chunks stay with the client",
                'return None, tuple(chunks)[:_MOST_EXPIRED], "chunks_rejected"\n',
                'return None, (), "chunks_rejected"\n',
            ),
        )
    ),
    Mutation(
        "25: what shrinks leaves its tail",
        _TRANSPORT,
        "        surplus = [name for name in expire if name not in parts]\n",
        "        surplus: list[str] = []\n",
        f"{_COOKIES}::test_item_25_what_shrinks_leaves_no_tail[cookie-wsgi]",
    ),
    Mutation(
        "26: a Max-Age may be as long as it likes",
        _TRANSPORT,
        "        seconds = LONGEST_AGE\n",
        "",
        f"{_COOKIES}::test_item_26_a_max_age_beyond_400_days_is_cut[memory-wsgi]",
    ),
    *(
        Mutation(
            f"27: {what} may have any character",
            file,
            old,
            "    if False:\n",
            f"{_COOKIES}::test_item_27_nothing_a_user_writes_ends_the_line",
        )
        for what, file, old in (
            (
                "a name",
                _COOKIE,
                "    if not isinstance(given, str) or _NAME.fullmatch(given) is None:\n",
            ),
            ("an attribute", _COOKIE, "    if _ATTRIBUTE.fullmatch(value) is None:\n"),
            ("a value", _COOKIE, "    if _VALUE.fullmatch(value) is None:\n"),
        )
    ),
]

_CACHES = [
    Mutation(
        "28: caches are not told that an answer depends on the cookie",
        _EXCHANGE,
        "            headers = vary_by(headers, transport.header)\n",
        "",
        f"{_ANSWERS}::test_item_28_any_look_at_a_session_makes_the_answer_vary[memory-wsgi]",
    ),
    Mutation(
        "28: a look that reads no value goes unnoticed",
        "session/session.py",
        "        self.accessed = True\n        if self._draft is None",
        "        if self._draft is None",
        f"{_ANSWERS}::test_item_28_any_look_at_a_session_makes_the_answer_vary[memory-wsgi]",
    ),
    Mutation(
        "28: a name stands in Vary twice",
        _HEADERS,
        'if "*" in named or name.lower() in named:',
        'if "*" in named:',
        f"{_ANSWERS}::test_item_28_vary_is_merged[memory-wsgi]",
    ),
    Mutation(
        "28: a star does not stay alone",
        _HEADERS,
        'if "*" in named or name.lower() in named:',
        "if name.lower() in named:",
        f"{_ANSWERS}::test_item_28_vary_is_merged[memory-wsgi]",
    ),
    Mutation(
        "29: what sets a cookie may be stored",
        _EXCHANGE,
        "        return forbid_storing(headers) + ours\n",
        "        return headers + ours\n",
        f"{_ANSWERS}::test_item_29_what_sets_a_cookie_is_stored_nowhere[memory-wsgi]",
    ),
    Mutation(
        "29: fields that overrule Cache-Control stay",
        _HEADERS,
        'key.endswith("cdn-cache-control")',
        'key.endswith("never")',
        f"{_ANSWERS}::test_item_29_what_sets_a_cookie_is_stored_nowhere[memory-wsgi]",
    ),
    Mutation(
        "29: our own cache keeps what looked at a session",
        "web/httpcache/rules.py",
        "    if answer.touched:\n",
        "    if False:\n",
        f"{_ANSWERS}::test_item_29_nor_one_that_looks_at_it_after_the_headers[memory-wsgi]",
    ),
]

_IN_HEADERS = [
    Mutation(
        "10: what the browser keeps of the site stays after a logout",
        _EXCHANGE,
        "            ours += transport.farewell\n",
        "            pass\n",
        f"{_LIFE}::test_item_10_a_logout_may_clear_what_the_browser_keeps[memory-wsgi]",
    ),
    Mutation(
        "22: of two headers the first is used",
        "web/token_header.py",
        '_TOKEN.fullmatch(token := raw.strip(" \\t"))',
        '_TOKEN.fullmatch(token := raw.partition(",")[0].strip(" \\t"))',
        f"{_TOKENS}::test_item_22_of_two_headers_none_is_used[memory-wsgi]",
    ),
    Mutation(
        "27: a header may be called anything",
        "web/token_header.py",
        "        if not isinstance(given, str) or _NAME.fullmatch(given) is None:\n",
        "        if False:\n",
        f"{_TOKENS}::test_item_27_only_a_name_can_be_a_header",
    ),
    Mutation(
        "28: caches are not told whose answer it is",
        _EXCHANGE,
        "            if transport.personal:\n",
        "            if False:\n",
        f"{_TOKENS}::test_item_28_what_looked_at_a_session_is_private[memory-wsgi]",
    ),
]

_SILENCE = [
    Mutation(
        "30: who has no session is told to forget one",
        _ENGINE,
        "expire=draft.expire and base is None)",
        "expire=base is None)",
        f"{_ANSWERS}::test_item_30_a_cookie_is_set_only_when_something_changed[memory-wsgi]",
    ),
    Mutation(
        "30: a sealed cookie is sent with every answer",
        "session/sealed.py",
        "            must = must or settings.times.must_touch(base.record, now)\n",
        "            must = True\n",
        f"{_ANSWERS}::test_item_30_a_304_and_a_static_file_have_none[cookie-wsgi]",
    ),
]

MUTATIONS = [*_IDENTITY, *_COOKIE_RULES, *_CACHES, *_IN_HEADERS, *_SILENCE]
