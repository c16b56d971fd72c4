"""The rules of the cache, each with what happens without it."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_ORDERS = "tests/interleave/test_fill_orders.py::"
_CHANGE = f"{_ORDERS}test_fill_and_change"
_LATE = f"{_ORDERS}test_fill_with_late_tags_and_tag[one process, far only-False]"
_LEASES = "tests/interleave/test_fill_leases.py::"
_PENDING = "tests/interleave/test_fill_pending.py::"
_BUS = "tests/interleave/test_fill_bus.py::"
_AGES = "tests/interleave/test_fill_ages.py::"
_MANY = "tests/interleave/test_fill_many.py::"
_CANCELLED = "tests/interleave/test_fill_cancelled.py::"

MUTATIONS = [
    Mutation(
        "a marker that is always the same",
        "entry.py",
        "ormsgpack.packb([_MARKER, os.urandom(_NONCE)])",
        "ormsgpack.packb([_MARKER, b''])",
        f"{_CHANGE}[two processes-delete-False]",
    ),
    Mutation(
        "a publish that compares nothing",
        "cache/fill.py",
        "            done = await far.store.swap(self.item.far, base.raw, raw, ttl)\n",
        "            done = not await far.store.put(self.item.far, raw, ttl)\n",
        f"{_ORDERS}test_first_publish_wins",
    ),
    Mutation(
        "a marker is a value",
        "entry.py",
        "            return None\n        case [\n            (1 | 2)",
        '            return Entry(b"\\xc0", 0.0, math.inf, math.inf, {})\n'
        "        case [\n            (1 | 2)",
        f"{_ORDERS}test_what_a_crashed_creation_left_reads_as_absent",
    ),
    Mutation(
        "stamps read after the creation",
        "cache/fill.py",
        "            known = base.stamps | stamps\n",
        "            known = await far.stamps.read(list(labels))\n",
        f"{_CHANGE}[two processes-tag-False]",
    ),
    Mutation(
        "~any moves after the tags",
        "cache/stamps.py",
        """\
        await self._far.put(self.key(ANY), make_stamp())
        await self._far.put_many({key: make_stamp() for key in self.keys(labels)})
""",
        """\
        await self._far.put_many({key: make_stamp() for key in self.keys(labels)})
        await self._far.put(self.key(ANY), make_stamp())
""",
        _LATE,
    ),
    Mutation(
        "~any does not move",
        "cache/stamps.py",
        "        await self._far.put(self.key(ANY), make_stamp())\n",
        "",
        _LATE,
    ),
    Mutation(
        "~any read before the late stamps",
        "cache/stamps.py",
        """\
        stamps = await self.make(labels, await self.read(labels))
        any_now = await self._far.get(self.key(ANY))
""",
        """\
        any_now = await self._far.get(self.key(ANY))
        stamps = await self.make(labels, await self.read(labels))
""",
        _LATE,
    ),
    Mutation(
        "~any is not asked",
        "cache/stamps.py",
        "        if any_now is None or any_now != before.get(ANY):\n",
        "        if any_now is None:\n",
        _LATE,
    ),
    Mutation(
        "late tags are forgotten",
        "cache/fill.py",
        "        labels = (*self.item.labels, *dict.fromkeys(late))\n",
        "        labels = self.item.labels\n",
        f"{_ORDERS}test_a_late_tag_invalidates_like_any_other",
    ),
    Mutation(
        "a stale value is served after a failure without a second look",
        "cache/fill.py",
        "        again = await self.looks.look(self.item)\n",
        "        again = base\n",
        f"{_ORDERS}test_a_failed_creation_serves_no_stale_value_that_was_invalidated",
    ),
    Mutation(
        "a placeholder that was removed still counts",
        "cache/near.py",
        "            if hold.void or not hold.moved.isdisjoint(traits.labels):\n",
        "            if not hold.moved.isdisjoint(traits.labels):\n",
        f"{_ORDERS}test_read_and_change_in_one_process[delete]",
    ),
    Mutation(
        "a near put although its tag moved",
        "cache/near.py",
        "            if hold.void or not hold.moved.isdisjoint(traits.labels):\n",
        "            if hold.void:\n",
        f"{_ORDERS}test_read_and_change_in_one_process[tag]",
    ),
    Mutation(
        "a refresh that was overtaken leaves what is near",
        "cache/fill.py",
        "            self.core.near.drop([self.item.near])  # what stands there may be older\n",
        "            pass\n",
        f"{_ORDERS}test_refresh_and_read",
    ),
    Mutation(
        "two chains wait for each other",
        "cache/chain.py",
        "        if _leads_to(flight, mine):\n",
        "        if flight in mine:\n",
        f"{_ORDERS}test_two_creations_that_need_each_other_end",
    ),
    Mutation(
        "a thread waits for the task it runs",
        "cache/chain.py",
        "        if here in mine or here.thread in mine:\n",
        "        if here in mine:\n",
        "tests/cache/test_single_flight.py::test_the_thread_of_a_loop_never_waits_for_its_own_task",
    ),
    Mutation(
        "absent is a base",
        "cache/fill.py",
        "                    self._marker = marker = make_marker()\n",
        "                    break\n",
        f"{_CHANGE}[two processes-delete-False]",
    ),
    Mutation(
        "the base of before the lease was won",
        "cache/fill.py",
        """\
                found = await self.looks.look(self.item, ANY)
                if found.raw is not None:
                    break
            else:
""",
        "                break\n            else:\n",
        f"{_LEASES}test_who_waits_for_a_lease_creates_nothing",
    ),
    Mutation(
        "no second look at whether somebody was quicker",
        "cache/fill.py",
        "        if (is_another or not self.anew) and base.age(self.core.clock()) is Age.FRESH:\n",
        "        if False:\n",
        f"{_LEASES}test_who_waits_for_a_lease_creates_nothing",
    ),
    Mutation(
        "a missing stamp is no difference",
        "cache/found.py",
        "any(stamps.get(label) != at for",
        "any(stamps.get(label, at) != at for",
        "tests/cache/test_far.py::test_a_lost_stamp_is_a_miss",
    ),
    Mutation(
        "stamps are not compared",
        "cache/found.py",
        "any(stamps.get(label) != at for label, at in entry.labels.items())",
        "False",
        f"{_CHANGE}[two processes-tag-False]",
    ),
    Mutation(
        "other bytes are served after a failure",
        "cache/fill.py",
        "        if again.raw != base.raw or again.age(now) is Age.DEAD:\n",
        "        if again.value is NOTHING:\n            again = base\n        if False:\n",
        f"{_ORDERS}test_a_failed_creation_serves_no_stale_value_that_was_invalidated",
    ),
    Mutation(
        "near before far in delete",
        "cache/changes.py",
        """\
                    there = await self._far.store.delete_many(keys)
                    for key, mark in marks.items():
                        self._core.pending.superseded(key, mark)
                    if there and self._core.lease:
                        await self._doom(self._far, items)
        finally:
            self._near.drop([item.near for item in items])
""",
        """\
                    self._near.drop([item.near for item in items])
                    there = await self._far.store.delete_many(keys)
                    for key, mark in marks.items():
                        self._core.pending.superseded(key, mark)
                    if there and self._core.lease:
                        await self._doom(self._far, items)
        finally:
""",
        f"{_ORDERS}test_read_and_change_in_one_process[delete]",
    ),
    Mutation(
        "who waited gets the value of the creation",
        "cache/reads.py",
        "        value = await fill.run(call.create, found, flight, patient=patient)\n",
        """\
        value = await fill.run(call.create, found, flight, patient=patient)

        async def give(*_: Any, value: Any = value) -> Any:
            return value

        type(self)._after = give
""",
        f"{_CHANGE}[one process, far only-tag-False]",
    ),
    Mutation(
        "a fill of before an invalidation supersedes it",
        "cache/fill.py",
        "            self.core.pending.superseded(self.item.far, self._hidden)\n",
        "            mark = self.core.pending.mark(self.item.far)\n"
        "            self.core.pending.superseded(self.item.far, mark)\n",
        f"{_PENDING}test_a_fill_that_began_before_a_lost_invalidation",
    ),
    Mutation(
        "near before far in invalidate_tags",
        "cache/changes.py",
        """\
        try:
            await self._move(labels)
        finally:
            self._near.drop_labels(labels)
""",
        "        self._near.drop_labels(labels)\n        await self._move(labels)\n",
        f"{_ORDERS}test_read_and_change_in_one_process[tag]",
    ),
    Mutation(
        "near before far in clear",
        "cache/changes.py",
        "            await self._move([space.label])\n        finally:\n",
        "            self._near.clear()\n            await self._move([space.label])\n"
        "        finally:\n            return\n",
        f"{_ORDERS}test_read_and_change_in_one_process[clear]",
    ),
    Mutation(
        "delete leaves the near tier",
        "cache/changes.py",
        "            self._near.drop([item.near for item in items])\n            for item",
        "            for item",
        f"{_CHANGE}[one process, near and far-delete-False]",
    ),
    Mutation(
        "a put without a placeholder of before",
        "cache/changes.py",
        "                await self._put_far(self._far, values, ages, policy)\n",
        "                await self._put_far(self._far, values, ages, policy)\n"
        "                holds = {item: self._near.hold(item.near) for item in values}\n",
        f"{_ORDERS}test_put_and_change_in_one_process",
    ),
    Mutation(
        "a put that was overtaken leaves what is near",
        "cache/changes.py",
        "            self._near.drop(older)  # failed, unknown, or somebody wrote meanwhile\n",
        "            pass\n",
        f"{_ORDERS}test_put_and_change_in_one_process[put]",
    ),
    Mutation(
        "near keeps what was not published",
        "cache/fill.py",
        "        self.replaced = kept = written is not None\n",
        "        self.replaced = kept = True\n        written = written or dict(base.stamps)\n",
        f"{_ORDERS}test_who_lost_a_publish_keeps_nothing_of_his_own",
    ),
    Mutation(
        "near keeps what was perhaps published",
        "cache/fill.py",
        '            self.core.trouble("publish", error, self.item)\n'
        "            self._marker = None\n            return None\n",
        '            self.core.trouble("publish", error, self.item)\n            done = True\n',
        "tests/cache/test_trouble.py::test_an_unknown_publish_keeps_nothing_near",
    ),
    Mutation(
        "near keeps what a stamp invalidated during its creation",
        "cache/fill.py",
        "        kept = kept and await self._unmoved(self.far, written or {})\n",
        "",
        f"{_ORDERS}test_near_ttl_bounds_what_another_process_serves",
    ),
    Mutation(
        "near_ttl counts from after the far read",
        "cache/found.py",
        "self._core.near_until(policy, hold.since))",
        "self._core.near_until(policy, now))",
        f"{_ORDERS}test_near_ttl_counts_from_before_the_far_read",
    ),
    Mutation(
        "a failure is not shared",
        "cache/reads.py",
        "            raise flight.error.with_traceback(flight.trace)\n",
        "            pass\n",
        f"{_ORDERS}test_a_failure_is_shared_with_those_who_waited",
    ),
    Mutation(
        "who waited for a failure is told although he asked for a new value",
        "cache/reads.py",
        "        if flight.error is not None and not call.anew:\n",
        "        if flight.error is not None:\n",
        f"{_ORDERS}test_who_asks_anew_is_not_told_of_an_older_failure",
    ),
    Mutation(
        "a cancelled caller takes all along",
        "cache/reads.py",
        "            if not self._waits.detaches and not call.policy.is_timed:\n",
        "            if True:\n",
        f"{_CANCELLED}test_a_creation_outlives_who_began_it",
    ),
    Mutation(
        "a creation goes on for nobody",
        "cache/reads.py",
        "        flight.cancel = cancel if hurried else None\n",
        "",
        f"{_CANCELLED}test_nobody_creates_for_nobody",
    ),
    Mutation(
        "a lease is kept by who is cancelled",
        "cache/fill.py",
        "        except BaseException:  # cancelled in the midst of it: others would wait for us\n"
        "            await self._let_go()\n            raise\n",
        "        except BaseException:\n            raise\n",
        f"{_CANCELLED}test_nobody_creates_for_nobody",
    ),
    Mutation(
        "nobody is served stale while one creates",
        "cache/reads.py",
        "        if flight.standing and not flight.landed and not call.anew:\n",
        "        if False:\n",
        f"{_ORDERS}test_a_stale_value_is_served_while_one_creates",
    ),
    Mutation(
        "a chain waits for itself",
        "cache/reads.py",
        "            elif begin_waiting(flight, blocks=self._blocks):\n",
        "            elif True:\n",
        f"{_ORDERS}test_a_creation_may_ask_for_its_own_key",
    ),
    Mutation(
        "who comes after a delete waits for what is doomed",
        "cache/changes.py",
        "                self._core.flights.forget(item.near)\n",
        "                pass\n",
        "tests/cache/test_single_flight.py::test_after_a_delete_nobody_waits_for_what_is_doomed",
    ),
    Mutation(
        "everybody creates",
        "cache/reads.py",
        "            if mine:\n                value = await self._lead(call, flight)\n",
        "            if True:\n                value = await self._lead(call, flight)\n",
        f"{_ORDERS}test_fill_and_fill[one process, far only-False]",
    ),
    Mutation(
        "a counter is kept near",
        "cache/found.py",
        "        if entry is None or entry.counter:\n",
        "        if entry is None:\n",
        "tests/cache/test_far.py::test_counters_are_never_kept_near",
    ),
    Mutation(
        "a lease that nobody compares when it is given back",
        "cache/lease.py",
        "                await self._far.quiet.swap(self._key, self._token, None)\n",
        "                await self._far.quiet.delete(self._key)\n",
        f"{_LEASES}test_who_outlived_his_lease_leaves_that_of_another",
    ),
    Mutation(
        "a lease that was perhaps won is not given back",
        "cache/lease.py",
        '            self._core.trouble("lease", error, self._item)\n            return True\n',
        '            self._core.trouble("lease", error, self._item)\n'
        "            self._token = None\n            return True\n",
        f"{_LEASES}test_a_lease_that_was_perhaps_won_is_given_back[reply]",
    ),
    Mutation(
        "a lease that could not be given back is forgotten",
        "cache/lease.py",
        "                self._core.pending.owe(self._key, self._token)\n",
        "",
        f"{_LEASES}test_a_lease_that_could_not_be_given_back_is_owed",
    ),
    Mutation(
        "no lease is given back",
        "cache/fill.py",
        "            await self._lease.release()\n",
        "            pass\n",
        f"{_LEASES}test_who_waits_for_a_lease_creates_nothing",
    ),
    Mutation(
        "everybody wins the lease",
        "cache/lease.py",
        "            self._token = None\n        return won\n",
        "            self._token = None\n        return True\n",
        f"{_LEASES}test_who_waits_for_a_lease_creates_nothing",
    ),
    Mutation(
        "a delete leaves the lease of what it dooms",
        "cache/changes.py",
        "                    if there and self._core.lease:\n",
        "                    if False:\n",
        f"{_LEASES}test_after_a_delete_nobody_waits_for_a_doomed_creation",
    ),
    Mutation(
        "who waits for a lease does not look",
        "cache/fill.py",
        "                self.hold_again()\n"
        "                found = await self.looks.look(self.item, ANY)\n",
        "                self.hold_again()\n",
        f"{_LEASES}test_who_waits_takes_what_comes",
    ),
    Mutation(
        "the placeholder of before the wait for a lease",
        "cache/fill.py",
        "                self.hold_again()\n                found",
        "                found",
        f"{_LEASES}test_who_waited_keeps_what_he_found_near",
    ),
    Mutation(
        "who has a stale value waits for a lease",
        "cache/fill.py",
        "                if not self.anew and found.age(self.core.clock()) is Age.STALE:\n",
        "                if False:\n",
        f"{_LEASES}test_who_waits_for_a_lease_creates_nothing",
    ),
    Mutation(
        "a refresh takes what another creation began before it",
        "cache/fill.py",
        "        if (is_another or not self.anew) and base.age(self.core.clock()) is Age.FRESH:\n",
        "        if base.age(self.core.clock()) is Age.FRESH:\n",
        f"{_LEASES}test_refresh_never_takes_what_began_before_it",
    ),
    Mutation(
        "the far tier is believed while an invalidation waits",
        "cache/found.py",
        "        if hidden or entry is None:\n",
        "        if entry is None:\n",
        f"{_PENDING}test_a_lost_invalidation",
    ),
    Mutation(
        "what was read before an invalidation was repeated is believed",
        "cache/found.py",
        "        if self._core.pending.settled != settled:",
        "        if False:",
        f"{_PENDING}test_a_lost_invalidation_in_a_crowd",
    ),
    Mutation(
        "what was added again is forgotten with what was before",
        "cache/pending.py",
        "                if self.waiting.get(name) == mark:\n",
        "                if name in self.waiting:\n",
        "tests/cache/test_pending.py::test_the_newest_first_and_once",
    ),
    Mutation(
        "what was made after a failed delete is deleted later",
        "cache/fill.py",
        "        self._hidden = self.core.pending.mark(self.item.far)\n        base",
        "        base",
        f"{_PENDING}test_what_was_made_meanwhile_is_kept",
    ),
    Mutation(
        "a failed invalidation is forgotten",
        "cache/changes.py",
        "            self._core.pending.add(names, labels=labels)\n",
        "",
        f"{_PENDING}test_a_lost_invalidation",
    ),
    Mutation(
        "a message drops no placeholder",
        "cache/coherence.py",
        "        self._near.drop(values)\n",
        "        for value in values:\n            self._near._remove(value)\n",
        f"{_BUS}test_after_a_message_nobody_is_behind",
    ),
    Mutation(
        "a message of a tag is not heard",
        "cache/coherence.py",
        "            self._near.drop_labels(labels)\n",
        "            pass\n",
        f"{_BUS}test_after_a_message_nobody_is_behind",
    ),
    Mutation(
        "a message of a clear is not heard",
        "cache/coherence.py",
        "        if EVERYTHING in labels:\n",
        "        if False:\n",
        f"{_BUS}test_after_a_message_nobody_is_behind",
    ),
    Mutation(
        "what was read without a bus is kept when there is one again",
        "cache/coherence.py",
        "        self._near.clear()  # what was read before may have changed unheard\n",
        "",
        f"{_BUS}test_crowds_on_a_bus",
    ),
    Mutation(
        "what was read with a bus is kept when it is lost",
        "cache/coherence.py",
        "        self.is_whole = False\n        self._near.clear()\n",
        "        self.is_whole = False\n",
        "tests/cache/test_coherence.py",
    ),
    Mutation(
        "a rest that compares nothing",
        "cache/fill.py",
        "            await self.far.store.swap(self.item.far, stale.raw, pack(entry), ttl)\n",
        "            await self.far.store.put(self.item.far, pack(entry), ttl)\n",
        f"{_AGES}test_renew_and_change",
    ),
    Mutation(
        "a renewal that compares nothing",
        "cache/found.py",
        "            if await far.store.swap(item.far, found.raw, raw, lived(stale_until, now)):\n",
        "            if not await far.store.put(item.far, raw, lived(stale_until, now)):\n",
        f"{_AGES}test_renew_and_change",
    ),
    Mutation(
        "a refresh without a placeholder of its own",
        "cache/reads.py",
        "                    fill.hold_again()  # the old one served to keep what is there\n",
        "",
        f"{_AGES}test_after_a_refresh_the_new_value_is_kept",
    ),
    Mutation(
        "a refresh of what another one refreshed",
        "cache/reads.py",
        "                    fill.renews = found.raw if self._far is not None else None\n",
        "",
        f"{_AGES}test_two_processes_refresh_once",
    ),
    Mutation(
        "many wait while they hold a lease",
        "cache/engine.py",
        "fill.begin(here, leased=True, patient=False)",
        "fill.begin(here, leased=True, patient=True)",
        f"{_MANY}test_each_value_is_created_once",
    ),
    Mutation(
        "many keep the leases of what they do not make",
        "cache/engine.py",
        "                    ends.push_async_callback(fill.end)\n",
        "",
        f"{_MANY}test_each_value_is_created_once",
    ),
    Mutation(
        "what a hash is of is learnt after the read",
        "cache/found.py",
        """\
        self._core.coherence.meet(items)
        labels = [*dict.fromkeys(label for item in items for label in item.labels), *more]
        keys = [*dict.fromkeys(item.far for item in items), *self._far.stamps.keys(labels)]
        settled = self._core.pending.settled
        try:
            rows = await self._far.store.get_many(keys)
""",
        """\
        labels = [*dict.fromkeys(label for item in items for label in item.labels), *more]
        keys = [*dict.fromkeys(item.far for item in items), *self._far.stamps.keys(labels)]
        settled = self._core.pending.settled
        try:
            rows = await self._far.store.get_many(keys)
            self._core.coherence.meet(items)
""",
        f"{_BUS}test_names_that_are_hashes_are_heard",
    ),
    Mutation(
        "a hashed tag of an entry is not learnt",
        "cache/found.py",
        "                self._core.coherence.meet_labels(unread)\n",
        "",
        f"{_BUS}test_a_tag_that_only_the_entry_knows_is_heard",
    ),
    Mutation(
        "a hashed tag that is named late is not learnt",
        "cache/fill.py",
        "                self.core.coherence.meet_labels(late)\n",
        "",
        f"{_BUS}test_names_that_are_hashes_are_heard",
    ),
]
