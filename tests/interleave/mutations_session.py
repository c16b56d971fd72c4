"""The rules of sessions, each with what happens without it."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_COMMITS = "tests/interleave/test_session_commits.py"
_ENDINGS = "tests/interleave/test_session_endings.py"
_LISTED = "tests/interleave/test_session_listed.py"
_LOCKED = "tests/interleave/test_session_locked.py"
_ROTATIONS = "tests/interleave/test_session_rotations.py"
_TURNED = "tests/interleave/test_session_turned.py"
_UNKNOWN = "tests/interleave/test_session_unknown.py"
_ENGINE = "session/engine.py"
_INDEX = "session/index.py"
_ISSUING = "session/issuing.py"
_LOCK = "session/lock.py"
_OPERATIONS = "session/operations.py"
_RECORDS = "session/records.py"
_USERS = "session/users.py"
_LEAVES_A_NOTE = (
    "            if await self._records.swap(base.id, base.raw, note, settings.times.note_ttl):\n"
)

MUTATIONS = [
    # Load
    Mutation(
        "a session that is over is removed by a plain delete",
        _ENGINE,
        "            await self.records.discard(doubt.id, doubt.raw)\n",
        "            await self.records.store.delete(self.key + doubt.id)\n",
        f"{_ENDINGS}::test_a_load_that_finds_it_over_never_takes_a_parallel_write_away",
    ),
    Mutation(
        "a session that is over fails whoever finds it when it cannot be removed",
        _ENGINE,
        "            await self.records.discard(doubt.id, doubt.raw)\n",
        "            await self.records.store.swap(self.key + doubt.id, doubt.raw, None)\n",
        f"{_UNKNOWN}::test_removing_an_over_session_fails_nobody",
    ),
    Mutation(
        "a session that is over is used",
        _ENGINE,
        "        if isinstance(found, Base) and not self._times.is_over(found.record, now):\n",
        "        if isinstance(found, Base):\n",
        f"{_ENDINGS}::test_an_over_session_is_removed_and_never_written_again",
    ),
    Mutation(
        "a load that meets a note is a new visitor",
        _ENGINE,
        "            draft.forwarded = handle\n",
        "",
        f"{_ROTATIONS}::test_a_load_that_meets_a_note_is_empty_and_says_nothing",
    ),
    Mutation(
        "a load follows a note",
        _ENGINE,
        "            return draft if draft.doubt is None else await self.look_closer(draft)\n",
        "            if draft.forwarded is not None:\n"
        "                base = await self.records.again(draft.forwarded, 0)\n"
        "                return draft if base is None else Draft(self._codec, 0, base)\n"
        "            return draft if draft.doubt is None else await self.look_closer(draft)\n",
        f"{_ROTATIONS}::test_the_old_token_reads_nothing_once_the_note_stands",
    ),
    # Commit
    Mutation(
        "reading writes",
        _ENGINE,
        "        if draft.handed and draft.gather() is not NOTHING_DONE:\n"
        "            return False\n",
        "        draft.keep()\n        return False\n",
        f"{_COMMITS}::test_reading_writes_nothing_whatever_others_do",
    ),
    Mutation(
        "what changes nothing is written",
        _ENGINE,
        "        same = record.data == before.data and record[4:] == before[4:]",
        "        same = False",
        f"{_COMMITS}::test_setting_what_is_there_already_writes_nothing",
    ),
    Mutation(
        "a commit compares nothing",
        _RECORDS,
        "                if await self.store.swap(key, old, new, ttl):\n"
        "                    return True\n",
        "                if new is not None:\n"
        "                    await self.store.put(key, new, ttl)\n"
        "                    return True\n"
        "                return await self.store.delete(key)\n",
        f"{_COMMITS}::test_both_survive",
    ),
    Mutation(
        "a refused commit does its operations to what it loaded",
        _ENGINE,
        "            replayed = changes.replay(base.record, self._codec, self._clock())\n"
        "            new = self.records.based(base.id, replayed)\n"
        "        raise",
        "            new = self.records.based(base.id, new.record)\n        raise",
        f"{_COMMITS}::test_both_survive",
    ),
    Mutation(
        "an absent record is created anew",
        _ENGINE,
        "            if found is None:\n"
        '                drop(draft, self.records, base.id, "destroyed")\n'
        "                return\n",
        "            if found is None:\n"
        "                draft.base = None\n"
        "                await self._issuing.create(draft, changes)\n"
        "                return\n",
        f"{_ENDINGS}::test_nothing_undoes_a_logout",
    ),
    Mutation(
        "an absent record is written back",
        _ENGINE,
        "            if found is None:\n"
        '                drop(draft, self.records, base.id, "destroyed")\n'
        "                return\n",
        "            if found is None:\n"
        "                await self.records.store.put(self.key + base.id, new.raw)\n"
        '                drop(draft, self.records, base.id, "destroyed")\n'
        "                return\n",
        f"{_ENDINGS}::test_nothing_undoes_a_logout",
    ),
    Mutation(
        "a late commit does not follow a note",
        _RECORDS,
        "            handle = found.target\n        return None",
        "            return None\n        return None",
        f"{_ROTATIONS}::test_a_commit_beside_a_rotation_survives",
    ),
    Mutation(
        "a late commit follows one note only",
        _RECORDS,
        "        for _ in range(CHAIN + 1):\n            raw = await self.store.get",
        "        for _ in range(2):\n            raw = await self.store.get",
        f"{_ROTATIONS}::test_a_late_commit_follows_eight_notes",
    ),
    Mutation(
        "a late commit follows notes for ever",
        _RECORDS,
        "        for _ in range(CHAIN + 1):\n            raw = await self.store.get",
        "        while True:\n            raw = await self.store.get",
        f"{_ROTATIONS}::test_a_late_commit_follows_eight_notes",
    ),
    Mutation(
        "a late commit revives a record that is over",
        _RECORDS,
        "return None if over else found",
        "return found",
        f"{_ENDINGS}::test_a_commit_against_a_record_that_is_over_by_then_drops_everything",
    ),
    Mutation(
        "one user's request writes into another's session",
        _ENGINE,
        "            if is_anothers(found.record, loaded):\n",
        "            if False:\n",
        f"{_ROTATIONS}::test_a_page_of_one_user_leaves_nothing_in_the_session_of_the_next",
    ),
    Mutation(
        "a rotation that gives way writes into another's session",
        _ISSUING,
        "                elif is_anothers(found.record, before.record):\n",
        "                elif False:\n",
        f"{_ROTATIONS}::test_nor_does_a_page_that_rotates",
    ),
    Mutation(
        "a lost name is not told",
        _ISSUING,
        "    if lost:\n",
        "    if False:\n",
        f"{_COMMITS}::test_of_the_same_name_the_later_stays_and_the_loss_is_told",
    ),
    # Touch
    Mutation(
        "a touch writes without comparing",
        _ENGINE,
        "            if await self.records.write_once(base.raw, new):\n",
        "            await self.records.store.put(self.key + base.id, new.raw, 600)\n"
        "            if True:\n",
        f"{_ENDINGS}::test_a_touch_does_not_bring_a_session_back",
    ),
    Mutation(
        "a touch is repeated",
        _ENGINE,
        "            if await self.records.write_once(base.raw, new):\n",
        "            if await self.records.write(base.raw, new):\n",
        f"{_UNKNOWN}::test_a_touch_that_fails_fails_nobody",
    ),
    Mutation(
        "a refused touch is done to what another wrote",
        _ENGINE,
        "            if await self.records.write_once(base.raw, new):\n"
        "                draft.base = new\n",
        "            if await self.records.write_once(base.raw, new):\n"
        "                draft.base = new\n"
        "            elif found := await self.records.again(base.id, 0):\n"
        "                await self.records.store.swap(self.key + found.id, found.raw, None)\n",
        f"{_COMMITS}::test_a_touch_never_takes_a_write_away_and_is_never_repeated",
    ),
    Mutation(
        "a failed touch fails the response",
        _ENGINE,
        "        except StoreError as error:\n            self._tell(",
        "        except ZeroDivisionError as error:\n            self._tell(",
        f"{_UNKNOWN}::test_a_touch_that_fails_fails_nobody",
    ),
    Mutation(
        "reading moves `seen` each time",
        "session/policy.py",
        "        return now - record.seen >= self.touch_every\n"
        "\n"
        "    def must_rotate(self, record: Record, now: float) -> bool:\n"
        '        """Return whether the session has had its token for too long."""\n'
        "        return self.rotate_every < math.inf and now - record.turned >= self.rotate_every\n"
        "\n"
        "    def is_due(self, record: Record, now: float) -> bool:\n"
        '        """Return whether a session is written though it was only read."""\n'
        "        if now - record.seen >= self.touch_every:\n"
        "            return True\n",
        "        return True\n"
        "\n"
        "    def must_rotate(self, record: Record, now: float) -> bool:\n"
        '        """Return whether the session has had its token for too long."""\n'
        "        return self.rotate_every < math.inf and now - record.turned >= self.rotate_every\n"
        "\n"
        "    def is_due(self, record: Record, now: float) -> bool:\n"
        '        """Return whether a session is written though it was only read."""\n'
        "        if True:\n"
        "            return True\n",
        f"{_COMMITS}::test_reading_writes_nothing_whatever_others_do",
    ),
    # Operations
    Mutation(
        "an increment writes the sum it saw",
        _OPERATIONS,
        "return codec.encode(value + self.by) if is_number(value) else self.own",
        "return self.own",
        f"{_COMMITS}::test_both_survive",
    ),
    Mutation(
        "an append writes the list it saw",
        _OPERATIONS,
        "        if type(value) is not list:\n",
        "        if True:\n",
        f"{_COMMITS}::test_appends_both_count_in_the_order_they_were_committed",
    ),
    Mutation(
        "a clear empties only what it loaded",
        _OPERATIONS,
        "        data = {} if self.cleared else data.copy()\n",
        "        data = data.copy()\n",
        f"{_COMMITS}::test_clear_empties_what_is_there_at_commit",
    ),
    Mutation(
        "a clear leaves the messages",
        _OPERATIONS,
        "kept = [] if self.cleared else [m",
        "kept = [m",
        f"{_COMMITS}::test_clear_takes_messages_that_another_left_meanwhile",
    ),
    Mutation(
        "a replay removes all messages of the queue",
        _OPERATIONS,
        "if m.id not in self.claimed]",
        "if not self.claimed]",
        f"{_COMMITS}::test_what_was_noted_as_taken_is_removed_and_nothing_else",
    ),
    Mutation(
        "a new message takes the place of the others",
        _OPERATIONS,
        "messages = [*kept, *self.posted]",
        "messages = [*self.posted] or kept",
        f"{_COMMITS}::test_messages_of_both_stay",
    ),
    Mutation(
        "our own fields are written again in another generation",
        _OPERATIONS,
        "if self.reserved is not None and gen == self.gen:",
        "if self.reserved is not None:",
        f"{_ROTATIONS}::test_our_own_fields_are_written_again_only_in_their_generation",
    ),
    Mutation(
        "what is changed in place is not found",
        "session/draft.py",
        "            if name not in names and self._is_changed_in_place(name):\n",
        "            if False:\n",
        f"{_COMMITS}::test_both_survive",
    ),
    Mutation(
        "what is changed in place besides an append is lost",
        "session/draft.py",
        "            if untouched or own ==",
        "            if True or own ==",
        f"{_COMMITS}::test_appends_in_place_and_by_operation_of_one_request_are_one_change",
    ),
    Mutation(
        "values in hand are compared with what another wrote",
        "session/draft.py",
        "own, loaded = self._encoded(name), self.encoded[name]",
        "own, loaded = self._encoded(name), "
        "(self.base.record.data if self.base else self.encoded)[name]",
        f"{_COMMITS}::test_claiming_keeps_what_another_wrote_and_what_was_read_before",
    ),
    Mutation(
        "a claim takes effect at commit",
        "session/homes.py",
        "        return draft.read(await self._engine.claim(draft, box, most))\n",
        "        return draft.read(draft.claim(box, most))\n",
        f"{_COMMITS}::test_claimed_at_the_call_means_once",
    ),
    # Unknown outcomes
    Mutation(
        "no answer is taken for a refusal",
        _RECORDS,
        "                lost = error\n",
        "                return False\n",
        f"{_UNKNOWN}::test_a_commit_without_an_answer_counts_once",
    ),
    Mutation(
        "no answer is taken for a success",
        _RECORDS,
        "                lost = error\n",
        "                return True\n",
        f"{_UNKNOWN}::test_a_commit_without_an_answer_counts_once",
    ),
    Mutation(
        "our own write is known by its bytes only",
        _RECORDS,
        "isinstance(theirs, Record) and ours.rev == theirs.rev",
        "isinstance(theirs, Record) and ours == theirs",
        f"{_UNKNOWN}::test_a_touch_over_our_write_does_not_hide_it",
    ),
    Mutation(
        "after anything else the operations are done again",
        _RECORDS,
        "                if new is None:\n                    return False",
        "                if True:\n                    return False",
        f"{_UNKNOWN}::test_without_an_answer_beside_another_write_it_counts_once_or_says_it_does_not_know",
    ),
    Mutation(
        "a lost request is not sent again",
        _RECORDS,
        "            if present != old:\n",
        "            if True:\n",
        f"{_UNKNOWN}::test_a_commit_without_an_answer_counts_once",
    ),
    Mutation(
        "a refusal after a lost request is taken at its word",
        _RECORDS,
        "            if lost is None:\n                return False\n            present",
        "            if lost is None or (await self.store.get(key)) != old:\n"
        "                return False\n            present",
        f"{_UNKNOWN}::test_a_commit_without_an_answer_counts_once",
    ),
    Mutation(
        "a store that never answers is asked for ever",
        _RECORDS,
        "        for _ in range(_RESENDS):\n            try:\n",
        "        while True:\n            try:\n",
        f"{_UNKNOWN}::test_a_store_that_never_answers_is_an_error_and_not_a_loop",
    ),
    # Rotate and log in
    Mutation(
        "the note stands before the record",
        _ISSUING,
        "            if not await self._records.write(written, new):\n"
        "                raise self._records.busy()  # nobody else can know this id\n"
        "            written = new.raw\n"
        "            until = now + settings.times.rotate_grace if timed else 0.0\n"
        "            note = self._records.note(base.id, handle, until)\n"
        f"{_LEAVES_A_NOTE}",
        "            written = new.raw\n"
        "            note = self._records.note(base.id, handle, 0.0)\n"
        f"{_LEAVES_A_NOTE}"
        "                await self._records.write(None, new)\n",
        f"{_ROTATIONS}::test_a_crash_in_a_rotation_leaves_a_session_that_works",
    ),
    Mutation(
        "a rotation leaves no note",
        _ISSUING,
        _LEAVES_A_NOTE,
        "            if await self._records.swap(base.id, base.raw, None, None):\n",
        f"{_ROTATIONS}::test_a_commit_beside_a_rotation_survives",
    ),
    Mutation(
        "a rotation leaves the old record",
        _ISSUING,
        _LEAVES_A_NOTE,
        "            if await self._records.swap(base.id, base.raw, base.raw, 600):\n",
        f"{_ROTATIONS}::test_a_token_is_told_only_when_its_note_stands",
    ),
    Mutation(
        "a note is written over whatever is there",
        _ISSUING,
        _LEAVES_A_NOTE,
        "            await self._records.store.put(self._records.key + base.id, note, 60)\n"
        "            if True:\n",
        f"{_ROTATIONS}::test_a_commit_beside_a_rotation_survives",
    ),
    Mutation(
        "a rotation does not merge what changed meanwhile",
        _ISSUING,
        "            base = found\n        raise self._records.busy()\n\n    def _turned",
        "            base = Base(found.id, found.raw, before.record)\n"
        "        raise self._records.busy()\n"
        "\n"
        "    def _turned",
        f"{_ROTATIONS}::test_a_commit_beside_a_rotation_survives",
    ),
    Mutation(
        "a rotation that came second sends a cookie",
        _ISSUING,
        "(found.id != base.id and sign_in is None)",
        "False",
        f"{_ROTATIONS}::test_two_rotations_give_one_cookie_and_it_is_good",
    ),
    Mutation(
        "a rotation that came second leaves its record",
        _ISSUING,
        "                await self._records.discard(handle, written)\n",
        "",
        f"{_ROTATIONS}::test_two_rotations_give_one_cookie_and_it_is_good",
    ),
    Mutation(
        "a rotation that came second drops its operations",
        _ISSUING,
        "                    return found\n                return None\n",
        "                    return None\n                return None\n",
        f"{_ROTATIONS}::test_two_rotations_give_one_cookie_and_it_is_good",
    ),
    Mutation(
        "a rotation of a destroyed session leaves its record",
        _ISSUING,
        "                await self._records.discard(handle, written)\n",
        "                if found is not None:\n"
        "                    await self._records.discard(handle, written)\n",
        f"{_ENDINGS}::test_destroyed_from_outside_while_it_is_rotated",
    ),
    Mutation(
        "a rotation of a destroyed session goes on",
        _ISSUING,
        "                await self._records.discard(handle, written)\n",
        "                if found is None:\n"
        "                    draft.base, draft.unsent, draft.rotating = new, token, False\n"
        "                    return None\n"
        "                await self._records.discard(handle, written)\n",
        f"{_ENDINGS}::test_nothing_undoes_a_logout",
    ),
    Mutation(
        "a login merges into the target of a note",
        _ISSUING,
        "(found.id != base.id and sign_in is None)",
        "found.id != base.id",
        f"{_ROTATIONS}::test_two_logins",
    ),
    Mutation(
        "a login gives up after the first refusal",
        _ISSUING,
        "(found.id != base.id and sign_in is None)",
        "sign_in is not None",
        f"{_ROTATIONS}::test_a_commit_beside_a_rotation_survives",
    ),
    Mutation(
        "a login keeps the data of another user",
        _ISSUING,
        "welcome = before if sign_in is None else sign_in.welcome(before)",
        "welcome = before",
        f"{_ROTATIONS}::test_two_logins",
    ),
    Mutation(
        "a login keeps the generation",
        _OPERATIONS,
        "gen=record.gen + 1",
        "gen=record.gen",
        f"{_ROTATIONS}::test_a_login_brings_a_new_secret_and_a_new_generation",
    ),
    Mutation(
        "a login keeps the CSRF secret",
        _OPERATIONS,
        "        reserved.update(self.about, user=self.user, login=self.at)\n",
        "        reserved.update(self.about, user=self.user, login=self.at)\n"
        '        reserved["csrf"] = record.reserved["csrf"]\n',
        f"{_ROTATIONS}::test_a_login_brings_a_new_secret_and_a_new_generation",
    ),
    # Destroy
    Mutation(
        "a destruction deletes without comparing",
        _RECORDS,
        "            if raw is None or await self.swap(handle, raw, None):\n",
        "            if raw is None or await self.store.delete(self.key + handle):\n",
        f"{_ENDINGS}::test_destroyed_from_outside_while_it_is_rotated",
    ),
    Mutation(
        "a refused destruction is not repeated",
        _RECORDS,
        "            await self.pause(attempt)\n        else:\n",
        "            break\n        else:\n",
        f"{_ENDINGS}::test_nothing_undoes_a_logout",
    ),
    Mutation(
        "a destruction does not follow notes",
        _RECORDS,
        "            if not isinstance(found, Note) or handle in notes:\n",
        "            if True:\n",
        f"{_ENDINGS}::test_destroy_follows_notes_to_the_record",
    ),
    Mutation(
        "a destruction removes notes on its way",
        _RECORDS,
        "            notes[handle] = raw\n",
        "            notes[handle] = raw\n            await self.discard(handle, raw)\n",
        f"{_ENDINGS}::test_two_logouts_with_the_old_token_both_end_the_rotated_session",
    ),
    Mutation(
        "a logout with the old token ends nothing",
        "session/draft.py",
        "        stored = self.forwarded if self.base is None else self.base.id\n",
        "        stored = None if self.base is None else self.base.id\n",
        f"{_ENDINGS}::test_a_logout_with_the_old_token_ends_the_rotated_session",
    ),
    Mutation(
        "a logout without an answer is given up",
        _RECORDS,
        "                    return False  # removing can be repeated: it counts nothing\n",
        "                    break\n",
        f"{_UNKNOWN}::test_a_logout_that_nobody_answered_goes_on_over_another_write",
    ),
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
    # Rotation by time
    Mutation(
        "rotate and login have a grace",
        _ISSUING,
        "until = now + settings.times.rotate_grace if timed else 0.0",
        "until = now + settings.times.rotate_grace",
        f"{_TURNED}::test_rotate_and_login_know_no_grace",
    ),
    Mutation(
        "a rotation by time has no grace",
        _ISSUING,
        "until = now + settings.times.rotate_grace if timed else 0.0",
        "until = 0.0",
        f"{_TURNED}::test_of_two_readers_one_rotates_and_both_read",
    ),
    Mutation(
        "the old token reads for ever",
        _ENGINE,
        "            draft.doubt = found if now < found.until else None\n",
        "            draft.doubt = found\n",
        f"{_TURNED}::test_a_chain_of_graces",
    ),
    Mutation(
        "the old token is not known for one",
        _ENGINE,
        "                draft.in_grace = True\n",
        "",
        f"{_TURNED}::test_a_writer_in_time_is_kept_and_one_in_the_grace_only_reads",
    ),
    Mutation(
        "the old token reads through rotations for ever",
        _ENGINE,
        "        for _ in range(CHAIN):\n"
        "            raw = await self.records.store.get(self.key + note.target)\n",
        "        while True:\n"
        "            raw = await self.records.store.get(self.key + note.target)\n",
        f"{_TURNED}::test_a_chain_of_graces",
    ),
    Mutation(
        "the old token begins anew after its grace",
        _ENGINE,
        "            note = draft.doubt\n        return old\n",
        "            note = draft.doubt\n        return draft\n",
        f"{_TURNED}::test_the_old_token_of_a_session_that_was_ended_begins_none",
    ),
    Mutation(
        "the old token writes",
        _ENGINE,
        "        elif draft.in_grace:\n            self._refuse(draft, changes)\n",
        "",
        f"{_TURNED}::test_a_writer_in_time_is_kept_and_one_in_the_grace_only_reads",
    ),
    Mutation(
        "what the old token wrote is dropped in silence",
        _ENGINE,
        '            self._tell("conflict_dropped", draft.handle, reason="grace")\n',
        "",
        f"{_TURNED}::test_a_writer_in_time_is_kept_and_one_in_the_grace_only_reads",
    ),
    Mutation(
        "the old token takes messages",
        _ENGINE,
        "            return taken  # they are for who has the new token\n",
        "            pass\n",
        f"{_TURNED}::test_a_message_is_for_who_has_the_new_token",
    ),
    Mutation(
        "the old token rotates",
        _ENGINE,
        "(draft.rotating and not draft.in_grace)",
        "draft.rotating",
        f"{_TURNED}::test_who_has_the_old_token_rotates_and_locks_nothing",
    ),
    Mutation(
        "the old token writes under a lock",
        _ENGINE,
        "        elif base is None or draft.in_grace:\n            return\n",
        "        elif base is None:\n            return\n",
        f"{_TURNED}::test_who_has_the_old_token_rotates_and_locks_nothing",
    ),
    Mutation(
        "who signs in with the old token still only reads",
        _ISSUING,
        "draft.rotating, draft.in_grace = new, token, False, False",
        "draft.rotating = new, token, False",
        f"{_TURNED}::test_what_is_written_after_a_login_with_the_old_token_is_kept",
    ),
    Mutation(
        "a session turns with each request",
        _ISSUING,
        '        return record._replace(reserved={**record.reserved, "turned": now})\n',
        "        return record\n",
        "tests/session/test_session_turning.py::test_a_token_that_is_old_enough_is_replaced",
    ),
    Mutation(
        "a rotation by time that fails fails a reader",
        _ENGINE,
        "            if not timed or changes is not NOTHING_DONE:\n                raise\n",
        "            raise\n",
        f"{_TURNED}::test_a_rotation_that_could_not_be_listed_is_told_nobody",
    ),
    Mutation(
        "a rotation by time that fails loses what was written",
        _ENGINE,
        "            if not timed or changes is not NOTHING_DONE:\n                raise\n",
        "            if not timed:\n                raise\n",
        f"{_TURNED}::test_a_rotation_that_could_not_be_listed_is_told_nobody",
    ),
    # What is kept and told
    Mutation(
        "a token is sent whose session is rotated",
        _ENGINE,
        "token is not None and id_of(token) == base.id:",
        "token is not None:",
        f"{_LISTED}::test_a_token_is_sent_only_while_it_is_good",
    ),
    Mutation(
        "what was destroyed begins anew at the second commit",
        _ENGINE,
        "        if draft.adrift is not None or draft.dropped:\n",
        "        if draft.adrift is not None:\n",
        f"{_ENDINGS}::test_nothing_undoes_a_logout",
    ),
    Mutation(
        "an anonymous visitor gets a session",
        _ENGINE,
        "        if draft.adrift is not None or draft.dropped:\n",
        "        if draft.dropped:\n",
        f"{_LOCKED}::test_an_anonymous_visitor_writes_nothing",
    ),
    Mutation(
        "a login is pretended while the store is down",
        _ENGINE,
        "            if vital or not self._settings.anonymous:\n",
        "            if not self._settings.anonymous:\n",
        f"{_LOCKED}::test_who_somebody_is_is_never_pretended",
    ),
    Mutation(
        "a store that is down fails whoever may be anonymous",
        _ENGINE,
        "            if vital or not self._settings.anonymous:\n",
        "            if True:\n",
        f"{_LOCKED}::test_what_could_not_be_written_fails_no_anonymous_visitor",
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
        "    elif is_anothers(found.record, loaded.record):\n",
        "    elif False:\n",
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
