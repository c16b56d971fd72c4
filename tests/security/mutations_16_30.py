"""The defences of items 16 to 30, each switched off once."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_LIFE = "tests/security/test_life_items.py"
_COOKIES = "tests/security/test_cookie_items.py"
_ANSWERS = "tests/security/test_answer_items.py"
_TOKENS = "tests/security/test_header_items.py"
_TOKEN = "session/token.py"
_COOKIE = "web/cookie.py"
_TRANSPORT = "web/transport.py"
_EXCHANGE = "web/exchange.py"
_HEADERS = "web/headers.py"
_ENGINE = "session/engine.py"

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

MUTATIONS = [*_COOKIE_RULES, *_CACHES, *_IN_HEADERS, *_SILENCE]
