"""The rules of a commit and of records, each with what happens without it."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_COMMITS = "tests/interleave/test_session_commits.py"
_ENDINGS = "tests/interleave/test_session_endings.py"
_ROTATIONS = "tests/interleave/test_session_rotations.py"
_UNKNOWN = "tests/interleave/test_session_unknown.py"
_ENGINE = "session/engine.py"
_ISSUING = "session/issuing.py"
_OPERATIONS = "session/operations.py"
_RECORDS = "session/records.py"

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
        "            if found is None:\n                return\n            base = found\n",
        "            if found is None:\n"
        "                draft.base, draft.dropped = None, False\n"
        "                await self._issuing.create(draft, changes)\n"
        "                return\n"
        "            base = found\n",
        f"{_ENDINGS}::test_nothing_undoes_a_logout",
    ),
    Mutation(
        "an absent record is written back",
        _ENGINE,
        "            if found is None:\n                return\n            base = found\n",
        "            if found is None:\n"
        "                await self.records.store.put(self.key + base.id, new.raw)\n"
        "                return\n"
        "            base = found\n",
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
        "found=again, loaded=loaded)",
        "found=again, loaded=again.record if again else loaded)",
        f"{_ROTATIONS}::test_a_page_of_one_user_leaves_nothing_in_the_session_of_the_next",
    ),
    Mutation(
        "a rotation that gives way writes into another's session",
        _ISSUING,
        "                loaded = before.record\n",
        "                loaded = found.record if found else before.record\n",
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
        "        return now - record.seen >= self.touch_every\n",
        "        return True\n",
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
]
