"""The rules of users, archives and locks, each with what happens without it."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_LISTED = "tests/interleave/test_session_listed.py"
_LOCKED = "tests/interleave/test_session_locked.py"
_TURNED = "tests/interleave/test_session_turned.py"
_ENGINE = "session/engine.py"
_INDEX = "session/index.py"
_ISSUING = "session/issuing.py"
_LOCK = "session/lock.py"
_OPERATIONS = "session/operations.py"
_USERS = "session/users.py"

MUTATIONS = [
    # Users
    Mutation(
        "a session that may be unlisted is told its client",
        _ISSUING,
        "    except BaseException:\n        draft.drop()\n        raise\n",
        "    except BaseException:\n        raise\n",
        f"{_TURNED}::test_a_rotation_that_could_not_be_listed_is_told_nobody",
    ),
    Mutation(
        "a login that may be unlisted goes on at the commit",
        _ISSUING,
        "    except BaseException:\n        draft.drop()\n        raise\n",
        "    except BaseException:\n        raise\n",
        f"{_LISTED}::test_without_an_answer_nobody_is_signed_in_unlisted",
    ),
    Mutation(
        "a rotation is not listed",
        _ISSUING,
        "        elif new.record.user is not None and not await self._users.move(old.id, new):\n",
        "        elif False:\n",
        f"{_LISTED}::test_a_session_that_is_kept_lives_though_it_rotates_meanwhile",
    ),
    Mutation(
        "a rotation that finds itself revoked goes on",
        _ISSUING,
        "not await self._users.move(old.id, new):\n",
        "await self._users.move(old.id, new) is None:\n",
        f"{_LISTED}::test_a_new_login_ends_the_oldest_whatever_that_does_meanwhile",
    ),
    Mutation(
        "a rotation that finds itself revoked leaves its record",
        _ISSUING,
        "            await self._records.destroy(new.id, of=new.record.user, follow=False)\n",
        "",
        f"{_LISTED}::test_a_rotation_that_takes_longer_than_its_note_stands_is_ended",
    ),
    Mutation(
        "a rotation that finds itself revoked ends who went on with it",
        _ISSUING,
        "of=new.record.user, follow=False)",
        "of=new.record.user)",
        f"{_LISTED}::test_who_signs_in_twice_in_one_session_is_not_evicted_by_himself",
    ),
    Mutation(
        "who made way for another user stays listed",
        _ISSUING,
        "                await self._users.leave(former, old.id)\n",
        "                pass\n",
        f"{_LISTED}::test_who_makes_way_for_another_makes_room",
    ),
    Mutation(
        "a refused login stays signed in",
        _ISSUING,
        "gen=record.gen + 1, reserved=kept)",
        "gen=record.gen + 1)",
        f"{_LISTED}::test_a_refused_login_takes_nothing_from_who_went_on_with_the_session",
    ),
    Mutation(
        "a refused login signs out who went on with the session",
        _ISSUING,
        "            if found is None or found.id != base.id:\n",
        "            if found is None:\n",
        f"{_LISTED}::test_a_refused_login_takes_nothing_from_who_went_on_with_the_session",
    ),
    Mutation(
        "a login stays listed under the id it had",
        _USERS,
        "            gone = (base.id, replaces)\n",
        "            gone = (base.id,)\n",
        f"{_LISTED}::test_who_signs_in_again_is_listed_once",
    ),
    Mutation(
        "a login that was rotated away is listed all the same",
        _USERS,
        "                if not await self._is_there(base.id):\n",
        "                if False:\n",
        f"{_LISTED}::test_who_signs_in_twice_in_one_session_is_not_evicted_by_himself",
    ),
    Mutation(
        "a session that is listed under two ids counts twice",
        _USERS,
        "ahead.isdisjoint(known)",
        "True",
        f"{_LISTED}::test_who_signs_in_twice_in_one_session_is_not_evicted_by_himself",
    ),
    Mutation(
        "a login is evicted by itself under the id it had",
        _USERS,
        "        known = {*own, *(entry.id",
        "        known = {*(entry.id",
        f"{_LISTED}::test_who_signs_in_twice_in_one_session_is_not_evicted_by_himself",
    ),
    Mutation(
        "sessions that are gone count",
        _USERS,
        "(there is not None and ",
        "(",
        "tests/session/test_session_users.py::test_46_or_the_new_login_is_refused",
    ),
    Mutation(
        "who is evicted is struck off before he is destroyed",
        _USERS,
        "        for handle, login in dying.items():\n",
        "        async def first(entries: list[Entry]) -> list[Entry]:\n"
        "            return [entry for entry in entries if entry.id not in dying]\n"
        "\n"
        "        if dying:\n"
        "            await self._change(key_of(user), first)\n"
        "        for handle, login in dying.items():\n",
        f"{_LISTED}::test_of_two_logins_one_stays",
    ),
    Mutation(
        "a login forgets whom another condemned",
        _USERS,
        "            others = [one for one in entries if one.dying or one.id not in gone]\n",
        "            others = [one for one in entries if not one.dying and one.id not in gone]\n",
        f"{_LISTED}::test_of_three_sessions_one_stays_and_nobody_forgets_whom_another_condemned",
    ),
    Mutation(
        "a login does not finish what another left half done",
        _USERS,
        '        await self._finish(user, listed, "evicted")\n        return True\n',
        "        if most is not None and len(listed) > most + 1:\n"
        '            await self._finish(user, listed, "evicted")\n'
        "        return True\n",
        "tests/session/test_session_users.py::test_46_a_login_finishes_what_another_left_half_done",
    ),
    Mutation(
        "a full index is no reason to refuse",
        _USERS,
        "            if condemned and (restored or not self._settings.evicts):\n",
        "            if condemned and restored:\n",
        f"{_LISTED}::test_of_two_logins_one_is_refused_and_never_both",
    ),
    Mutation(
        "a session out of an archive ends another",
        _USERS,
        "            if condemned and (restored or not self._settings.evicts):\n",
        "            if condemned and not self._settings.evicts:\n",
        f"{_LOCKED}::test_a_restore_takes_nobodys_place",
    ),
    Mutation(
        "who is evicted takes his next login along",
        _USERS,
        "of=user, since=login)",
        "of=user)",
        f"{_LISTED}::test_the_oldest_who_signs_in_anew_meanwhile_is_a_new_one",
    ),
    Mutation(
        "a revocation ends the next user's session",
        _USERS,
        "of=user, since=login)",
        "since=login)",
        f"{_LISTED}::test_the_next_user_of_a_session_is_spared",
    ),
    Mutation(
        "who signs in before a revocation is done is forgotten",
        _USERS,
        '            ended += await self._finish(user, listed, "revoked")\n',
        '            return ended + await self._finish(user, listed, "revoked")\n',
        f"{_LISTED}::test_a_login_while_the_others_are_revoked",
    ),
    Mutation(
        "a revocation keeps an id, not a session",
        _USERS,
        "            kept = await self._trail(keep)  # now",
        "            kept = {keep}  # now",
        f"{_LISTED}::test_a_session_that_is_kept_lives_though_it_rotates_meanwhile",
    ),
    Mutation(
        "a revocation looks first where what it keeps is",
        _USERS,
        "        async def change(entries: list[Entry]) -> list[Entry]:\n"
        "            kept = await self._trail(keep)  # now",
        "        kept = await self._trail(keep)\n"
        "\n"
        "        async def change(entries: list[Entry]) -> list[Entry]:\n"
        "            # now",
        f"{_LISTED}::test_a_session_that_is_kept_lives_though_it_rotates_meanwhile",
    ),
    Mutation(
        "what is kept is ended under another id",
        _USERS,
        "            if kept:\n                entries = await self._standing(entries)\n",
        "",
        f"{_LISTED}::test_a_session_that_is_kept_and_listed_twice_lives",
    ),
    Mutation(
        "a rotation takes the condemned off the list",
        _INDEX,
        " or (found is not None and found.dying):\n",
        ":\n",
        f"{_LISTED}::test_a_new_login_ends_the_oldest_whatever_that_does_meanwhile",
    ),
    Mutation(
        "a change of the index without an answer is an error",
        _USERS,
        "                if unanswered == _UNANSWERED:\n                    raise\n",
        "                raise\n",
        f"{_LISTED}::test_without_an_answer_nobody_is_signed_in_unlisted",
    ),
    Mutation(
        "a change of the index without an answer is done",
        _USERS,
        "                unanswered += 1\n"
        "                if unanswered == _UNANSWERED:\n"
        "                    raise\n",
        "                return new\n",
        f"{_LISTED}::test_without_an_answer_nobody_is_signed_in_unlisted",
    ),
    Mutation(
        "an index is written over whatever is there",
        _USERS,
        "                if await self._records.store.swap(key, raw, sealed, ",
        '                await self._records.store.put(key, sealed or b"", 600)\n'
        "                if max(3, ",
        f"{_LISTED}::test_of_two_logins_one_stays",
    ),
    Mutation(
        "a store that forgot an index has revoked everybody",
        _USERS,
        "        add = self._settings.may_forget\n",
        "        add = False\n",
        "tests/session/test_session_users.py::test_unless_that_is_accepted",
    ),
    Mutation(
        "who is not welcome takes the next user along",
        _ENGINE,
        "        await self.records.destroy(base.id, of=user)\n",
        "        await self.records.destroy(base.id)\n",
        f"{_LOCKED}::test_who_is_not_welcome_leaves_nothing",
    ),
    Mutation(
        "who is not welcome stays in the store",
        _ENGINE,
        "        await self.records.destroy(base.id, of=user)\n",
        "",
        f"{_LOCKED}::test_who_is_not_welcome_leaves_nothing",
    ),
    # Archives
    Mutation(
        "a restore that was cut off cannot be repeated",
        _ENGINE,
        "        if not written and await self.records.store.get(self.key + handle) != raw:\n",
        "        if not written:\n",
        f"{_LOCKED}::test_what_was_restored_is_listed_or_can_be_restored_again",
    ),
    Mutation(
        "a restore writes over what is there",
        _ENGINE,
        "        written = await self.records.write(None, base)\n",
        "        await self.records.store.put(self.key + handle, raw, 600)\n"
        "        written = True\n",
        f"{_LOCKED}::test_a_restore_replaces_nothing",
    ),
    Mutation(
        "what was restored is not listed",
        _ENGINE,
        '        if found.user is None or await self.users.enter(base, "", restored=True):\n',
        "        if True:\n",
        f"{_LOCKED}::test_who_comes_while_his_session_is_restored_is_new_or_has_it",
    ),
    Mutation(
        "what finds no room in the list is restored",
        _ENGINE,
        "        await self.records.destroy(handle, of=found.user)\n        return False\n",
        "        return False\n",
        f"{_LOCKED}::test_a_restore_takes_nobodys_place",
    ),
    # Locks
    Mutation(
        "a lock is no lock",
        _LOCK,
        "        await _win(engine, waits, held, latest)\n",
        "",
        f"{_LOCKED}::test_under_the_lock_requests_take_turns",
    ),
    Mutation(
        "who waited for a lock sees what he loaded",
        _LOCK,
        "            draft.look_anew(found)\n",
        "            draft.base = found\n",
        f"{_LOCKED}::test_under_the_lock_requests_take_turns",
    ),
    Mutation(
        "a lock without an answer is lost",
        _LOCK,
        "            won = await store.get(held.key) == held.mark\n",
        "            won = False\n",
        f"{_LOCKED}::test_a_lock_without_an_answer",
    ),
    Mutation(
        "a lock that ended early is given back by whoever had it",
        _LOCK,
        "            await store.swap(held.key, held.mark, None)\n        except StoreError:",
        "            await store.delete(held.key)\n        except StoreError:",
        f"{_LOCKED}::test_a_lock_that_ended_early_loses_nothing_and_frees_nobodys",
    ),
    Mutation(
        "a lock never ends",
        _LOCK,
        "held.mark, LENGTH)\n",
        "held.mark, None)\n",
        f"{_LOCKED}::test_who_crashed_with_the_lock_delays_the_others_by_its_length",
    ),
    Mutation(
        "what raised under a lock is written",
        _LOCK,
        "        if failed:\n            draft.revert()\n",
        "        if False:\n            draft.revert()\n",
        f"{_LOCKED}::test_what_raises_under_the_lock_writes_nothing_of_it",
    ),
    Mutation(
        "a lock is given back before what was done is written",
        _LOCK,
        "        else:\n            await engine.flush(draft)\n    finally:\n",
        "        else:\n"
        "            if held is not None:\n"
        "                await _give_back(engine, held)\n"
        "            await engine.flush(draft)\n"
        "    finally:\n",
        f"{_LOCKED}::test_under_the_lock_requests_take_turns",
    ),
    Mutation(
        "a lock keeps the id it was asked for",
        _LOCK,
        "        if found is not None and found.id == draft.base.id:\n",
        "        if found is not None:\n",
        f"{_LOCKED}::test_who_comes_with_the_old_token_takes_turns_with_the_new_one",
    ),
    Mutation(
        "a lock shows the session of the next user",
        _LOCK,
        "had, loaded = draft.base.id, draft.base.record",
        "had, loaded = draft.base.id, (found or draft.base).record",
        f"{_LOCKED}::test_a_lock_shows_nobody_the_session_of_the_next_user",
    ),
    Mutation(
        "a lock is kept when the session cannot be read",
        _LOCK,
        "        except BaseException:\n"
        "            await _give_back(engine, held)\n"
        "            raise\n",
        "        except BaseException:\n            raise\n",
        f"{_LOCKED}::test_a_lock_is_given_back_when_the_session_cannot_be_read",
    ),
    Mutation(
        "a lock that cannot be given back is an error",
        _LOCK,
        "    with suppress(StoreError):  # then",
        "    with suppress(KeyError):  # then",
        f"{_LOCKED}::test_a_lock_without_an_answer",
    ),
    Mutation(
        "what was done before a lock is lost",
        _LOCK,
        "    await engine.flush(draft)\n    mark, latest",
        "    mark, latest",
        f"{_LOCKED}::test_what_raises_under_the_lock_writes_nothing_of_it",
    ),
    Mutation(
        "who is remembered is forgotten by another tab's login",
        _OPERATIONS,
        "if self.reserved is not None and gen == self.gen:",
        "if self.reserved is not None:",
        f"{_LOCKED}::test_remembering_is_nothing_to_who_signs_in_meanwhile",
    ),
]
