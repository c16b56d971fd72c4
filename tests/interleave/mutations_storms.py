"""What storms found: faults, cancellations and abuse of sessions, each as it was before."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_STORMS = "tests/session/test_session_storms.py"
_ABUSE = "tests/session/test_session_storm_abuse.py"

MUTATIONS = [
    Mutation(
        "a refused login that was not written counts as written",
        "session/issuing.py",
        "left = record._replace(rev=new_rev(), gen=record.gen + 1, reserved=kept)",
        "left = record._replace(gen=record.gen + 1, reserved=kept)",
        f"{_STORMS}::test_a_fault_at_each_operation[login-1-refuse-None]",
    ),
    Mutation(
        "an observer that raises leaves the token of an unlisted session",
        "session/issuing.py",
        """                with _untold(draft):
                    if base is not before:
                        merged(self._records, base, changes.lost(before.record, base.record))
                    self._records.tell("rotated", base.id, to=handle)
                    await""",
        """                if base is not before:
                    merged(self._records, base, changes.lost(before.record, base.record))
                self._records.tell("rotated", base.id, to=handle)
                with _untold(draft):
                    await""",
        f"{_STORMS}::test_an_observer_that_raises_at_each_event[rotate-plain-ann]",
    ),
    Mutation(
        "where visitors may be anonymous, nobody hears that a login failed",
        "session/engine.py",
        "if vital or not self._settings.anonymous:",
        "if draft.is_vital() or not self._settings.anonymous:",
        f"{_STORMS}::test_a_fault_at_each_operation[login-anonymous-ann]",
    ),
    Mutation(
        "who is cancelled while he takes a lock keeps it",
        "session/lock.py",
        """        try:
            await _win(engine, waits, held, latest)
""",
        """        await _win(engine, waits, held, latest)
        try:
""",
        f"{_STORMS}::test_a_task_cancelled_at_each_await[lock_now-plain-ann]",
    ),
    Mutation(
        "who is cancelled while he gives a lock back keeps it",
        "session/lock.py",
        """            await store.swap(held.key, held.mark, None)
            raise
""",
        """            raise
""",
        f"{_STORMS}::test_a_task_cancelled_at_each_await[lock_now-plain-ann]",
    ),
    Mutation(
        "a request waits for its own lock",
        "session/lock.py",
        "    if draft.locked:\n",
        "    if draft.locked and draft.begun:\n",
        f"{_ABUSE}::test_who_holds_a_lock_does_not_wait_for_himself",
    ),
    Mutation(
        "a login before a lock writes where the old token reads",
        "session/engine.py",
        """        if draft.sign_in is not None:
            await self._sign_in(draft, changes)
        elif base is None""",
        """        if base is None""",
        f"{_ABUSE}::test_under_a_lock_nothing_is_told_to_who_knows_the_old_token",
    ),
    Mutation(
        "a login that failed at the call is done by the commit",
        "session/engine.py",
        "            draft.sign_in = None  # who hears",
        "            pass  # who hears",
        f"{_ABUSE}::test_a_login_that_failed_at_the_call_is_none",
    ),
    Mutation(
        "who followed a note rotates what is not his",
        "session/issuing.py",
        "        if draft.followed and sign_in is None:\n",
        "        if draft.begun and sign_in is None:\n",
        f"{_ABUSE}::test_who_came_with_a_token_that_others_rotated_gets_none",
    ),
    Mutation(
        "a list ends before what it lists where a clock is ahead",
        "session/users.py",
        " + SKEW  # by any host's clock",
        "  # by our clock",
        "tests/session/test_session_storm_clocks.py::test_nobody_is_alive_and_unlisted_because_a_clock_is_ahead",
    ),
    Mutation(
        "each login of a program asks for thousands of records",
        "session/users.py",
        "            asked = random.sample(entries, _PRUNE_ABOVE)  # no secret\n",
        "            asked = entries[:]\n",
        f"{_ABUSE}::test_a_user_of_a_thousand_sessions_signs_in_as_fast_as_others",
    ),
    Mutation(
        "an error in check_user is taken for an absent name",
        "session/contents.py",
        "except KeyError as error:  # which",
        "except LookupError if self._begun else () as error:  # which",
        "tests/web/test_session_failures.py::test_054_an_error_in_check_user_reaches_whoever_asks_for_a_name",
    ),
]
