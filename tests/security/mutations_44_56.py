"""Items 44 to 56 without their defences: what is switched off, and the test that must fail then."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_DATA = "tests/security/test_data_items.py"
_USERS = "tests/security/test_user_items.py"
_FORGED = "tests/security/test_forged_items.py"
_FAILED = "tests/security/test_failure_items.py"
_URLS = "tests/security/test_url_items.py"
_ENGINE = "session/engine.py"
_INDEX = "session/users.py"

_CONTENTS = [
    Mutation(
        "44: a damaged record is an error",
        "session/data.py",
        "    except ormsgpack.MsgpackDecodeError:\n        return None\n",
        "    except ImportError:\n        return None\n",
        f"{_DATA}::test_item_44_a_damaged_record_is_a_new_session_and_no_error[memory-wsgi]",
    ),
    Mutation(
        "44: nobody is told of a damaged record",
        _ENGINE,
        'self._tell("unknown" if raw is None else "corrupt", handle)',
        'self._tell("unknown", handle)',
        f"{_DATA}::test_item_44_a_damaged_record_is_a_new_session_and_no_error[memory-asgi]",
    ),
    Mutation(
        "44: a damaged value is an error",
        "session/view.py",
        "            except UNREADABLE:\n",
        "            except ImportError:\n",
        f"{_DATA}::test_item_44_a_damaged_value_costs_no_other[memory-wsgi]",
    ),
    Mutation(
        "45: what another tab wrote meanwhile is lost",
        _ENGINE,
        "            replayed = changes.replay(base.record, self._codec, self._clock())\n"
        "            new = self.records.based(base.id, replayed)\n"
        "        raise",
        "            replayed = changes.replay(before, self._codec, self._clock())\n"
        "            new = self.records.based(base.id, replayed)\n"
        "        raise",
        f"{_DATA}::test_item_45_two_tabs_lose_nothing_of_each_other[memory-wsgi]",
    ),
    Mutation(
        "45: a count is the one this tab saw",
        "session/operations.py",
        "            return codec.encode(value + self.by) if is_number(value) else self.own\n",
        "            return self.own or codec.encode(value + self.by)\n",
        f"{_DATA}::test_item_45_two_tabs_lose_nothing_of_each_other[memory-asgi]",
    ),
    Mutation(
        "45: who claims what another has claimed gets it, too",
        _ENGINE,
        "            if await self.records.write(base.raw, new):\n"
        "                draft.base, taken = new, stored\n",
        "            if await self.records.write(base.raw, new) or stored:\n"
        "                draft.base, taken = new, stored\n",
        f"{_DATA}::test_item_45_what_is_read_once_is_read_by_one_tab[memory-wsgi]",
    ),
    Mutation(
        "49: an event has the token",
        "session/issuing.py",
        '"rotated", base.id, to=handle',
        '"rotated", base.id, to=token',
        f"{_DATA}::test_item_49_no_event_has_the_token_in_it[memory-wsgi]",
    ),
    Mutation(
        "49: the repr of a session has its token",
        "session/session.py",
        "<Session {self.id[:12]}, ",
        "<Session {self._token}, ",
        f"{_DATA}::test_item_49_nor_have_logs_measures_errors_and_reprs[memory-wsgi]",
    ),
    Mutation(
        "49: the repr of an outcome has its token",
        "session/outcome.py",
        'return f"Outcome(token={token}, ',
        'return f"Outcome(token={self.token}, ',
        f"{_DATA}::test_item_49_nor_have_logs_measures_errors_and_reprs[memory-asgi]",
    ),
]

_WHOSE = [
    Mutation(
        "46: nobody has to make room",
        _INDEX,
        "            condemned = oldest(others, room=most)\n",
        "            condemned = oldest(others, room=99)\n",
        f"{_USERS}::test_item_46_of_logins_at_once_no_more_stay_than_may[memory-wsgi]",
    ),
    Mutation(
        "46: who was refused is signed in all the same",
        _INDEX,
        "not self._settings.evicts",
        "self._settings.may_forget",
        f"{_USERS}::test_item_46_a_login_too_many_is_refused_if_that_was_asked_for[memory-wsgi]",
    ),
    Mutation(
        "47: nobody looks who signed in during a revocation",
        _INDEX,
        '            ended += await self._finish(user, listed, "revoked")\n',
        '            return await self._finish(user, listed, "revoked")\n',
        f"{_USERS}::test_item_47_a_session_that_begins_during_a_revocation_is_ended[memory-wsgi]",
    ),
    Mutation(
        "47: who asked to revoke is out, too",
        _INDEX,
        "dying=one.dying or one.id not in kept)",
        "dying=True)",
        f"{_USERS}::test_item_47_revoking_ends_all_but_the_one_that_asked[memory-wsgi]",
    ),
    Mutation(
        "47: nobody asks whether a user is still welcome",
        "session/settings.py",
        "        welcome = True if check is None or user is None else check(user)\n",
        "        welcome = True\n",
        f"{_USERS}::test_item_47_who_is_not_welcome_any_more_is_out_at_the_next_request"
        "[memory-wsgi]",
    ),
    Mutation(
        "47: the list of a user's sessions keeps its old key",
        _INDEX,
        "                await self._change(key_of(user), _as_it_is)\n",
        "                pass\n",
        f"{_USERS}::test_item_47_a_key_that_is_revoked_hides_nobody_from_a_revocation[memory-wsgi]",
    ),
    Mutation(
        "47: nobody asks whether the user of a cookie is still welcome",
        "session/carrier.py",
        "        if await self._settings.welcomes(user):\n",
        "        if True:\n",
        f"{_USERS}::test_item_47_who_is_not_welcome_any_more_is_out_at_the_next_request"
        "[cookie-wsgi]",
    ),
    Mutation(
        "48: a listing has the tokens",
        "session/token.py",
        "    return _sha256(token.encode()).hexdigest()\n",
        "    return token\n",
        f"{_USERS}::test_item_48_a_listing_is_good_for_no_cookie[memory-wsgi]",
    ),
    Mutation(
        "48: whole addresses are kept",
        "session/client.py",
        "_NETWORK = {4: 24, 6: 48}",
        "_NETWORK = {4: 32, 6: 128}",
        f"{_USERS}::test_item_48_of_a_client_is_kept_what_was_asked_for_and_shortened[memory-wsgi]",
    ),
    Mutation(
        "48: an address is kept that nobody asked for",
        "session/client.py",
        "if name in keep and value}",
        "if value}",
        f"{_USERS}::test_item_48_of_a_client_is_kept_what_was_asked_for_and_shortened[memory-asgi]",
    ),
]

_REQUESTS = [
    Mutation(
        "50: a token is the secret itself",
        "session/csrf.py",
        "    pad = secrets.token_bytes(BYTES)\n",
        "    pad = bytes(BYTES)\n",
        f"{_FORGED}::test_item_50_a_form_needs_the_token_of_its_session[memory-wsgi]",
    ),
    Mutation(
        "50: any token will do",
        "session/csrf.py",
        "hmac.compare_digest(_xor(raw[:BYTES], raw[BYTES:]), secret)",
        "len(raw) == 2 * len(secret)",
        f"{_FORGED}::test_item_50_a_form_needs_the_token_of_its_session[memory-asgi]",
    ),
    Mutation(
        "50: where a request comes from decides nothing",
        "web/csrf.py",
        'return site in ("same-origin", "none")',
        "return True",
        f"{_FORGED}::test_item_50_where_a_request_comes_from_decides[memory-wsgi]",
    ),
    Mutation(
        "51: a websocket outlives its session",
        "web/asgi/sockets.py",
        "                alive = await exchange.sessions.aio.is_alive(exchange.session)\n",
        "                await exchange.sessions.aio.is_alive(exchange.session)\n",
        f"{_FORGED}::test_item_51_a_websocket_ends_with_its_session[memory-asgi]",
    ),
    Mutation(
        "51: what a websocket writes gets a token",
        "web/asgi/sessions.py",
        "        exchange.session.response_begun()\n        every",
        "        every",
        f"{_FORGED}::test_item_51_a_websocket_sets_no_cookie[memory-asgi]",
    ),
    Mutation(
        "51: a websocket is opened for any site",
        "web/asgi/csrf.py",
        'if kind in ("http", "websocket") and not is_safe',
        'if kind == "http" and not is_safe',
        f"{_FORGED}::test_item_51_a_websocket_of_another_site_is_refused[memory-asgi]",
    ),
]

_FAILURES = [
    Mutation(
        "52: what a failed request wrote is kept",
        _ENGINE,
        "        if failed:\n            draft.fail()\n",
        "",
        f"{_FAILED}::test_item_52_what_fails_writes_nothing_but_logs_in_and_out[memory-wsgi]",
    ),
    Mutation(
        "52: what a failed request asked for is not done (WSGI)",
        "web/wsgi/sessions.py",
        'outcome = self.sessions.commit(session, failed=status >= "5")',
        'session.revert() if status < "5" else session.__init__(session._home, None)\n'
        "            outcome = self.sessions.commit(session)",
        f"{_FAILED}::test_item_52_what_fails_writes_nothing_but_logs_in_and_out[memory-wsgi]",
    ),
    Mutation(
        "53: a commit is cancelled with its request",
        "web/asgi/sessions.py",
        "        if not answer.cancelled():  # the end",
        "        task.cancel()\n        if not answer.cancelled():  # the end",
        f"{_FAILED}::test_item_53_a_request_is_cancelled_at_any_moment[/rotate-memory-asgi]",
    ),
    Mutation(
        "53: who goes away has done nothing",
        "web/wsgi/sessions.py",
        "                self._reply.leave()\n",
        "                pass\n",
        f"{_FAILED}::test_item_53_a_client_goes_away_before_he_has_read_it_all"
        "[/rotate-memory-wsgi]",
    ),
    Mutation(
        "54: whom the store does not know now is a stranger",
        _ENGINE,
        "        if not self._settings.anonymous:\n            raise error\n",
        "",
        f"{_FAILED}::test_item_54_a_store_that_is_down_never_costs_a_cookie[memory-wsgi]",
    ),
    Mutation(
        "54: a time that cannot be noted fails the request",
        _ENGINE,
        "            if await self.records.write_once(base.raw, new):\n"
        "                draft.base = new\n"
        "        except StoreError",
        "            if await self.records.write_once(base.raw, new):\n"
        "                draft.base = new\n"
        "        except ImportError",
        f"{_FAILED}::test_item_54_a_time_that_cannot_be_noted_fails_nothing[memory-wsgi]",
    ),
    Mutation(
        "54: while nobody is asked anybody may sign in and out",
        "session/draft.py",
        "        return bool(self.doomed or self.rotating or self.unsent or self.sign_in)\n",
        "        return False\n",
        f"{_FAILED}::test_item_54_visitors_may_be_anonymous_for_a_while[memory-wsgi]",
    ),
    Mutation(
        "55: a cookie is open to all subdomains",
        "web/transport.py",
        "    return _SECURE if cookie.domain is not None",
        "    return _SECURE if True or cookie.domain is not None",
        f"{_FAILED}::test_item_55_no_subdomain_can_plant_a_cookie_by_default[memory-wsgi]",
    ),
]

_PASSWORDS = [
    Mutation(
        "56: a store is called by its whole URL",
        "store/address.py",
        'return f"{self.scheme}://{self.netloc}{self.path}"',
        "return self.bare",
        f"{_URLS}::test_item_56_no_error_of_a_store_has_its_password[redis]",
    ),
    Mutation(
        "56: what Redis says of a command is repeated",
        "store/redis/errors.py",
        "    if _ECHO in said(error):\n",
        "    if _ECHO == said(error):\n",
        f"{_URLS}::test_item_56_nor_has_that_of_a_server_that_repeats_it[redis]",
    ),
    Mutation(
        "56: what a Sentinel says of a command is repeated",
        "store/redis/routes.py",
        "            hush(error)\n",
        "",
        f"{_URLS}::test_item_56_nor_has_that_of_a_server_that_repeats_it[sentinel]",
    ),
    Mutation(
        "56: what answers in place of a memcached is repeated",
        "store/memcached/wire.py",
        '    words, _, _ = line.partition(b", with args beginning with")\n',
        "    words = line\n",
        f"{_URLS}::test_item_56_nor_has_that_of_a_server_that_repeats_it[memcached]",
    ),
    Mutation(
        "56: an error shows the URL it could not read",
        "store/address.py",
        '            f"the {scheme}:// URL cannot be read: write options',
        '            f"the URL {url} cannot be read: write options',
        f"{_URLS}::test_item_56_nor_has_that_of_a_url_that_is_wrong[a bracket]",
    ),
]

MUTATIONS = [*_CONTENTS, *_WHOSE, *_REQUESTS, *_FAILURES, *_PASSWORDS]
