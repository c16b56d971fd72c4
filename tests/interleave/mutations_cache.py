"""The rules of the cache, each with what happens without it."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_ORDERS = "tests/interleave/test_fill_orders.py::"
_CHANGE = f"{_ORDERS}test_fill_and_change"
_LATE = f"{_ORDERS}test_fill_with_late_tags_and_tag[one process, far only-False]"
_WAIT = """\
                await self._waits.join(flight)
            finally:
                end_waiting(flight)
            if flight.error is not None and not anew:
                raise flight.error.with_traceback(flight.trace)
"""
_FLY = (
    "\n    async def _fly(self, fill: Fill, found: Found, flight: Flight) -> Any:\n"
    '        """Create for all who wait; '
    'a caller that is cancelled hands the creation on to them."""\n'
    "        failure = None\n        try:\n"
)

MUTATIONS = [
    Mutation(
        "absent is a base",
        "cache/fill.py",
        "                    marker = make_marker()\n",
        "                    break\n",
        f"{_CHANGE}[two processes-delete-False]",
    ),
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
        "the base of before the flight was won",
        "cache/fill.py",
        "                found = await self.looks.look(self.item, ANY)\n",
        "",
        f"{_ORDERS}test_fill_and_fill_with_slow_answers[far only]",
    ),
    Mutation(
        "no second look at whether somebody was quicker",
        "cache/fill.py",
        "        if not self.anew and base.age(self.core.clock()) is Age.FRESH:\n",
        "        if False:\n",
        f"{_ORDERS}test_fill_and_fill_with_slow_answers[far only]",
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
        "            known = await far.stamps.read(list(entry.labels))\n",
        f"{_CHANGE}[two processes-tag-False]",
    ),
    Mutation(
        "a missing stamp is no difference",
        "cache/found.py",
        "any(known.get(label) != at for",
        "any(known.get(label, at) != at for",
        "tests/cache/test_far.py::test_a_lost_stamp_is_a_miss",
    ),
    Mutation(
        "stamps are not compared",
        "cache/found.py",
        "if entry is None or any(known.get(label) != at for label, at in entry.labels.items()):",
        "if entry is None:",
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
        "other bytes are served after a failure",
        "cache/fill.py",
        "        if again.raw != base.raw or again.age(self.core.clock()) is Age.DEAD:\n",
        "        if again.value is NOTHING:\n            again = base\n        if False:\n",
        f"{_ORDERS}test_a_failed_creation_serves_no_stale_value_that_was_invalidated",
    ),
    Mutation(
        "near before far in delete",
        "cache/engine.py",
        """\
        try:
            if self._far is not None:
                there = await self._far.store.delete_many([item.far for item in items])
        finally:
            self._near.drop([item.near for item in items])
""",
        """\
        self._near.drop([item.near for item in items])
        try:
            if self._far is not None:
                there = await self._far.store.delete_many([item.far for item in items])
        finally:
""",
        f"{_ORDERS}test_read_and_change_in_one_process[delete]",
    ),
    Mutation(
        "near before far in invalidate_tags",
        "cache/engine.py",
        """\
        try:
            if self._far is not None:
                await self._far.stamps.move(labels)
        finally:
            self._near.drop_labels(labels)
""",
        """\
        self._near.drop_labels(labels)
        if self._far is not None:
            await self._far.stamps.move(labels)
""",
        f"{_ORDERS}test_read_and_change_in_one_process[tag]",
    ),
    Mutation(
        "near before far in clear",
        "cache/engine.py",
        "        try:\n            if self._far is not None:\n"
        "                await self._far.stamps.move([space.label])\n        finally:\n",
        "        self._near.clear()\n        if self._far is not None:\n"
        "            await self._far.stamps.move([space.label])\n        if False:\n",
        f"{_ORDERS}test_read_and_change_in_one_process[clear]",
    ),
    Mutation(
        "delete leaves the near tier",
        "cache/engine.py",
        "            self._near.drop([item.near for item in items])\n            for item",
        "            for item",
        f"{_CHANGE}[one process, near and far-delete-False]",
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
        "a put without a placeholder of before",
        "cache/engine.py",
        "            await self._put_far(self._far, values, times)\n",
        "            await self._put_far(self._far, values, times)\n"
        "            holds = {item: self._near.hold(item.near) for item in values}\n",
        f"{_ORDERS}test_put_and_change_in_one_process",
    ),
    Mutation(
        "a put that was overtaken leaves what is near",
        "cache/engine.py",
        "            self._near.drop(older)  # failed, unknown, or somebody wrote meanwhile\n",
        "            pass\n",
        f"{_ORDERS}test_put_and_change_in_one_process[put]",
    ),
    Mutation(
        "a refresh that was overtaken leaves what is near",
        "cache/fill.py",
        "            self.core.near.drop([self.item.near])  # what stands there may be older\n",
        "            pass\n",
        f"{_ORDERS}test_refresh_and_read",
    ),
    Mutation(
        "near keeps what was not published",
        "cache/fill.py",
        "        if written is None:\n            return\n",
        "        written = written or dict(base.stamps)\n",
        f"{_ORDERS}test_who_lost_a_publish_keeps_nothing_of_his_own",
    ),
    Mutation(
        "near keeps what was perhaps published",
        "cache/fill.py",
        '            self.looks.trouble("publish", error)\n            return None\n',
        '            self.looks.trouble("publish", error)\n            done = True\n',
        "tests/cache/test_trouble.py::test_an_unknown_publish_keeps_nothing_near",
    ),
    Mutation(
        "near keeps what a stamp invalidated during its creation",
        "cache/fill.py",
        "        kept = await self._unmoved(self.far, written)\n",
        "        kept = True\n",
        f"{_ORDERS}test_near_ttl_bounds_what_another_process_serves",
    ),
    Mutation(
        "near_ttl counts from after the far read",
        "cache/found.py",
        "            until = min(found.fresh_until, hold.since + policy.near_ttl)\n",
        "            until = min(found.fresh_until, self._core.clock() + policy.near_ttl)\n",
        f"{_ORDERS}test_near_ttl_counts_from_before_the_far_read",
    ),
    Mutation(
        "who waited gets the value of the creation",
        "cache/engine.py",
        _WAIT + _FLY + "            return await fill.run(found, flight)\n",
        _WAIT
        + "            return self._core.last[0]\n"
        + _FLY
        + "            value = await fill.run(found, flight)\n"
        + "            type(self._core).last = [value]\n"
        + "            return value\n",
        f"{_CHANGE}[one process, far only-tag-False]",
    ),
    Mutation(
        "a failure is not shared",
        "cache/engine.py",
        "                raise flight.error.with_traceback(flight.trace)\n",
        "                pass\n",
        f"{_ORDERS}test_a_failure_is_shared_with_those_who_waited",
    ),
    Mutation(
        "a cancelled creator fails all who wait",
        "cache/engine.py",
        "        except Exception as error:\n            failure = error\n",
        "        except BaseException as error:\n            failure = error\n",
        "tests/cache/test_single_flight.py::test_a_cancelled_task_hands_the_creation_on",
    ),
    Mutation(
        "nobody is served stale while one creates",
        "cache/engine.py",
        "                if not anew and found.age(self._core.clock()) is Age.STALE:\n",
        "                if False:\n",
        f"{_ORDERS}test_a_stale_value_is_served_while_one_creates",
    ),
    Mutation(
        "a chain waits for itself",
        "cache/engine.py",
        "                if not begin_waiting(flight, blocks=self._blocks):\n",
        "                if False:\n",
        f"{_ORDERS}test_a_creation_may_ask_for_its_own_key",
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
        "who comes after a delete waits for what is doomed",
        "cache/engine.py",
        "                self._core.flights.forget(item.near)\n",
        "                pass\n",
        "tests/cache/test_single_flight.py::test_after_a_delete_nobody_waits_for_what_is_doomed",
    ),
    Mutation(
        "everybody creates",
        "cache/engine.py",
        "                if mine:\n",
        "                if True:\n",
        f"{_ORDERS}test_fill_and_fill[one process, far only-False]",
    ),
    Mutation(
        "a counter is kept near",
        "cache/found.py",
        "        if not found.counter:\n",
        "        if True:\n",
        "tests/cache/test_far.py::test_counters_are_never_kept_near",
    ),
]
