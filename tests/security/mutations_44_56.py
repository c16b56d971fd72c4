"""Items 44 to 56 without their defences: what is switched off, and the test that must fail then."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_DATA = "tests/security/test_data_items.py"
_USERS = "tests/security/test_user_items.py"
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
        _ENGINE,
        "        if welcome:\n            return draft\n",
        "        if draft:\n            return draft\n",
        f"{_USERS}::test_item_47_who_is_not_welcome_any_more_is_out_at_the_next_request"
        "[memory-wsgi]",
    ),
    Mutation(
        "47: nobody asks whether the user of a cookie is still welcome",
        "session/carrier.py",
        "        return bool(welcome)\n",
        "        return True\n",
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

MUTATIONS = [*_CONTENTS, *_WHOSE]
