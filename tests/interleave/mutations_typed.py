"""The rules of typed sessions, each with what happens without it."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_TESTS = "tests/session/test_session_typed.py"
_VERSIONS = "tests/session/test_session_typed_versions.py"
_LATE = "tests/session/test_session_late.py"
_DRAFT = "session/draft.py"
_OPERATIONS = "session/operations.py"
_SCHEMA = "session/schema.py"
_TYPED = "session/typed.py"

MUTATIONS = [
    Mutation(
        "what an old process wrote meanwhile is not migrated",
        _OPERATIONS,
        "            record = self.upgrade(record)\n",
        "            record = record._replace(reserved=self.upgrade(record).reserved)\n",
        f"{_VERSIONS}::test_what_an_old_process_wrote_meanwhile_is_migrated_with_the_rest",
    ),
    Mutation(
        "an absent field counts from nothing instead of its default",
        _OPERATIONS,
        "change.apply(data.get(name, self.absent.get(name)), codec)",
        "change.apply(data.get(name), codec)",
        f"{_TESTS}::test_both_tabs_count_from_the_default_on",
    ),
    Mutation(
        "two tabs that bring the same new version seem to overwrite each other",
        _OPERATIONS,
        "            before, theirs = self.upgrade(before), self.upgrade(theirs)\n",
        "            pass\n",
        f"{_VERSIONS}::test_what_is_renamed_is_still_told_when_it_is_lost",
    ),
    Mutation(
        "an old process lowers the version",
        _SCHEMA,
        "        if self.version_of(record) >= self._schema.version:\n            return record\n",
        "        if self.version_of(record) == self._schema.version:\n            return record\n",
        f"{_VERSIONS}::test_a_newer_session_is_read_as_far_as_it_is_known_and_stays_newer",
    ),
    Mutation(
        "values of a version nobody can lead on from are taken for ours",
        _SCHEMA,
        "            data = {}\n",
        "            data = record.data\n",
        f"{_VERSIONS}::test_what_is_too_old_for_any_migration_is_as_good_as_absent",
    ),
    Mutation(
        "a default is handed out itself",
        _TYPED,
        "        return self._layout.decode(name, encoded)  # never",
        "        return getattr(self._fresh, name)  # never",
        f"{_TESTS}::test_no_default_is_shared_between_sessions",
    ),
    Mutation(
        "what was set on the instance is not seen before an increment",
        _TYPED,
        "            self.marks[name] = PUT  # set on the instance before",
        "            pass  # set on the instance before",
        f"{_TESTS}::test_an_increment_counts_from_what_was_set_on_the_instance",
    ),
    Mutation(
        "what was set after an increment counts instead of replacing",
        _TYPED,
        "            if name in self.marks:\n                self.marks[name] = PUT\n",
        "",
        f"{_TESTS}::test_what_is_set_after_an_increment_replaces_it",
    ),
    Mutation(
        "what is set too late is dropped without a word",
        _TYPED,
        "        elif self.base is None and",
        "        elif self.base is None and False and",
        f"{_TESTS}::test_after_the_first_byte_it_is_written_if_the_client_has_its_token",
    ),
    Mutation(
        "what was committed comes back into sight after a clear",
        _DRAFT,
        "        self.written = None\n        super().look_at(encoded)\n",
        "        super().look_at(encoded)\n",
        f"{_LATE}::test_what_was_committed_and_deleted_then_is_gone_from_sight_too",
    ),
]
