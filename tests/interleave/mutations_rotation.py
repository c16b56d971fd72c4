"""The rules of rotations, logins and ends of sessions, each with what happens without it."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_ENDINGS = "tests/interleave/test_session_endings.py"
_LISTED = "tests/interleave/test_session_listed.py"
_LOCKED = "tests/interleave/test_session_locked.py"
_ROTATIONS = "tests/interleave/test_session_rotations.py"
_TURNED = "tests/interleave/test_session_turned.py"
_UNKNOWN = "tests/interleave/test_session_unknown.py"
_ENGINE = "session/engine.py"
_ISSUING = "session/issuing.py"
_OPERATIONS = "session/operations.py"
_RECORDS = "session/records.py"
_LEAVES_A_NOTE = (
    "            if await self._records.swap(base.id, base.raw, note, settings.times.note_ttl):\n"
)

MUTATIONS = [
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
        "            base = found\n        raise self._records.busy()\n\n    def _rotated",
        "            base = Base(found.id, found.raw, before.record)\n"
        "        raise self._records.busy()\n"
        "\n"
        "    def _rotated",
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
        "return still_ours(draft, self._records, base.id, found=found, loaded=loaded)\n",
        "return None\n",
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
        '        return record._replace(reserved={**record.reserved, "rotated": now})\n',
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
]
