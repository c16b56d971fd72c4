"""Each line of Beaker's changelog, in a few words of our own, and what shows that it holds.

A line ends in names of tests, in "option X" (a probe of the document's options), or in "gone: why it can no longer be seen".
"""

CHANGELOG = """
1.10.0 | Redis forgets a session after its timeout | option RedisNamespaceManager timeout, test_timeout_and_expiretime
1.10.0 | nss has AES | test_promise_1_10_nss_has_aes
1.10.0 | without AES nothing fails that encrypts nothing | test_promise_1_10_who_encrypts_nothing_needs_nothing
1.10.0 | SameSite is Lax, or what is chosen | test_1_10_samesite_is_lax_unless_it_is_chosen
1.9.1 | the creating function has the decorated one's name | test_1_9_1_the_function_that_creates_is_named_after_the_decorated
1.9.1 | async is no name any more | test_every_name_of_these_modules_is_there
1.9.1 | no race between who opens a file and who removes it | test_1_9_1_files_that_vanish_meanwhile
1.9.1 | connections to databases are given back | test_connections_are_given_back
1.9.1 | an interrupted write leaves the old file | test_1_9_1_a_write_that_is_interrupted_leaves_the_old_file
1.9.1 | folders may disappear | test_1_9_1_folders_that_disappear_are_made_again, test_promise_1_9_1_a_folder_that_disappeared_is_made_anew
1.9.1 | redis and mongodb are in the document | test_each_signature_is_that_of_the_document
1.9.0 | ext:mongodb and ext:redis, with locks on the server | test_locks_shut_out_beaker_and_are_shut_out
1.9.0 | attributes of the cookie are not lost | test_1_9_cookie_options_are_not_lost_when_the_id_changes
1.9.0 | stores that forget by themselves are told when | test_1_9_0_stores_that_forget_by_themselves_are_told_when, option NamespaceManager.set_value expiretime
1.9.0 | pycryptodome serves as pycrypto | test_promise_1_9_names_of_crypto_type
1.9.0 | beaker.cookie and http.cookies are two modules | test_every_name_of_these_modules_is_there
1.9.0 | cryptography encrypts | test_promise_1_9_names_of_crypto_type, test_beaker_reads_what_we_write_and_we_what_it_writes
1.8.1 | save_accessed_time off writes nothing for a look | test_1_8_1_nothing_is_written_by_reading_without_save_accessed_time
1.8.1 | data_serializer may be an object | test_a_serializer_of_the_application_is_used_for_all_of_it
1.8.1 | a backend that cannot be loaded is told of | test_1_8_1_a_backend_that_cannot_be_loaded_is_warned_of
1.8.1 | the cookie's end can be taken back | test_1_8_1_a_cookie_can_go_back_to_the_browsers_end
1.8.1 | session_class | test_1_8_1_session_class_is_used, test_1_8_1_session_class_must_be_one
1.8.1 | invalidate_corrupt for cookie sessions | option CookieSession invalidate_corrupt, test_a_corrupt_cookie_becomes_a_new_session
1.8.0 | encrypt_nonce_bits | test_1_8_encrypt_nonce_bits_is_the_length_of_the_nonce, test_promise_1_8_a_nonce_of_48_bits
1.8.0 | arguments by name under cache_region | test_1_8_0_arguments_by_name_are_the_same_key
1.8.0 | annotations under cache_region | test_1_8_0_annotations_do_no_harm
1.8.0 | data_serializer=json | option Session data_serializer, test_json_is_compressed_json
1.8.0 | invalid cookies are skipped | test_1_8_an_invalid_cookie_beside_is_skipped, test_promise_1_8_a_bad_cookie_is_skipped_and_ours_is_found
1.8.0 | one pool for one url | test_one_client_for_one_url
1.7.0 | no Python 2.4 | gone: a Python of today only
1.7.0 | Python 2 and 3 without 2to3 | gone: the same
1.7.0 | encrypted cookies on Python 3 | test_beaker_reads_what_we_write_and_we_what_it_writes
1.7.0 | pbkdf2 on Python 3 | test_promise_1_7_pbkdf2_is_that_of_the_standard
1.7.0 | its tests on Python 3.3 | gone: its own tests
1.6.5 | the docstring is kept | test_1_6_5_docstring_and_name_are_kept
1.6.5 | another encrypt_key is no crash | test_another_key_reads_nothing
1.6.5 | regions have a key_length | test_1_6_5_a_region_needs_no_key_length, test_promise_1_6_5_regions_have_a_key_length_and_expire_is_a_number
1.6.5 | expire may be text | test_1_6_5_expire_may_be_the_text_of_a_config_file
1.6.4 | key_length may be text | test_1_6_4_key_length_may_be_a_text
1.6.4 | invalidating a cookie session clears it | test_1_6_4_invalidating_a_cookie_session_clears_its_data
1.6.4 | cookie_path | test_1_6_4_cookie_path_is_said
1.6.4 | nss | test_promise_1_10_nss_has_aes
1.6.4 | pycrypto's keys are derived anew for each nonce | test_the_key_of_a_session_is_that_of_beaker, test_1_8_encrypt_nonce_bits_is_the_length_of_the_nonce
1.6.4 | schema_name | option DatabaseNamespaceManager schema_name, test_a_schema_of_its_own
1.6.4 | long names on memcached | test_keys_that_are_too_long_in_bytes, test_the_genuine_library_and_ours_find_each_others
1.6.3 | cookies are deleted on leap days | test_1_6_3_a_cookie_is_deleted_on_leap_days_too
1.6.3 | one module under two paths | test_a_name_and_its_module_here_are_one
1.6.3 | the timeout of a cookie | test_the_timeout_of_a_cookie_session_counts_too
1.6.2 | who creates locks one key | test_1_6_2_who_creates_locks_one_key_not_the_namespace
1.6.2 | encryption for any backend | test_nobody_is_logged_out_while_old_and_new_processes_share_sessions, test_encrypted_records_are_kept
1.6.1 | nothing is printed | test_1_6_1_nothing_is_printed
1.6.1 | .app | test_1_6_1_app_and_wrap_app_are_the_application
1.6 | the length of a cache key | test_1_6_4_key_length_may_be_a_text
1.6 | the path is kept | test_1_6_the_path_of_a_session_is_kept_with_it
1.6 | CacheMiddleware leaves enabled alone | test_1_6_the_middleware_leaves_enabled_alone
1.6 | cookie_expires in seconds | test_1_6_cookie_expires_takes_seconds, test_promise_1_6_cookie_expires_takes_seconds
1.6 | keys of any alphabet | test_1_6_keys_of_any_alphabet
1.6 | key_length | test_1_6_key_length_is_an_option_of_the_decorator_too
1.6 | __version__ | test_promise_1_6_the_version_is_said_and_the_package_alone_shows_its_modules
1.6 | webtest_varname | test_1_6_webtest_finds_the_session
1.6 | entry points are looked for late | test_1_6_entry_points_are_looked_for_when_first_needed
1.6 | pylibmc by thread | test_the_names_of_the_past
1.6 | memcache_module | option configuration memcache_module, test_the_genuine_clients_find_what_is_written_in_the_old_form
1.6 | sessions on Python 3 | gone: a Python of today only
1.6 | more of Python 3 | gone: the same
1.6 | a file that is replaced is not read | test_1_6_who_replaces_a_file_does_not_read_it
1.6 | invalidate works for cache.cache | test_1_6_invalidate_removes_what_cache_keeps
1.6 | self and cls are no part of the key | test_1_6_self_and_cls_are_no_part_of_the_key
1.6 | a file that is no pickle is told of | test_a_file_that_is_no_pickle_is_empty
1.6 | invalidate_corrupt warns | test_a_corrupt_record_becomes_a_new_session
1.6 | remove_value of what is over | test_1_6_what_is_over_can_be_removed
1.5.4 | InvalidCryptoBackendError can be imported | test_exceptions_are_those_of_beaker
1.5.4 | domain can be asked for | test_1_5_4_domain_and_path_can_be_asked_for
1.5.4 | its tests | gone: its own tests
1.5.4 | Jython | gone: no Jython
1.5.3 | Python 2.4 | gone: a Python of today only
1.5.2 | without pkg_resources | test_1_6_entry_points_are_looked_for_when_first_needed
1.5.2 | signatures are compared in constant time | test_1_5_2_signatures_are_compared_in_constant_time
1.5.2 | a base for dictionaries | test_1_5_2_a_manager_over_a_dictionary_of_ones_own
1.5.2 | functions without arguments | test_1_5_2_a_function_without_arguments
1.5.2 | SQLAlchemy 0.4 | gone: SQLAlchemy of today
1.5.2 | Python 3 | gone: a Python of today only
1.5.2 | PyCrypto | test_promise_1_9_names_of_crypto_type
1.5.1 | names of caches | test_1_5_1_caches_of_other_names_have_other_values
1.5 | auto takes what is installed (pylibmc first, which Beaker 1.14 no longer does) | test_1_5_auto_takes_the_client_that_beaker_would_take
1.5 | has_key of what is not there | test_1_5_what_is_not_there_is_not_there
1.5 | getpid of App Engine | gone: App Engine's Python 2
1.5 | cache_region before the configuration | test_1_5_regions_are_configured_after_the_functions
1.5 | has_value and a removal | test_1_4_2_a_value_that_goes_between_two_looks_is_made_anew
1.5 | one creates, whoever else comes | test_one_creates_and_the_others_wait, test_who_comes_meanwhile_gets_the_old_value
1.4.2 | memcached drops a value between two looks | test_1_4_2_a_value_that_goes_between_two_looks_is_made_anew
1.4.2 | path can be set | test_1_4_domain_and_path_are_set_on_the_fly
1.4.2 | lock files under load | test_many_read_or_one_writes, test_beaker_holds_and_we_try
1.4.1 | an empty option is an error | test_promise_an_empty_text_is_an_error, test_1_4_1_an_option_that_is_empty_is_an_error
1.4.1 | CacheManager.invalidate | test_1_6_invalidate_removes_what_cache_keeps
1.4.1 | CacheManager.region_invalidate | test_1_4_1_region_invalidate_of_the_manager
1.4.1 | InvalidCryptoBackendError is no TypeError | test_promise_1_4_1_an_unknown_module_is_an_error
1.4 | hmac of Python 2.4 | gone: a Python of today only
1.4 | a file that cannot be opened is no ValueError | test_1_9_1_files_that_vanish_meanwhile, test_a_file_that_may_not_be_read_is_as_none
1.4 | a session that is new and unsaved makes no file | test_1_4_a_session_that_was_only_read_makes_no_file
1.4 | CacheMiddleware keeps what was configured | test_1_4_the_middleware_keeps_what_was_configured
1.4 | a SyntaxError of an entry point | test_1_4_backends_of_another_python_are_passed_over
1.4 | blobs in the Datastore | test_entities_lie_where_app_engine_had_them
1.4 | domain and path on the fly | test_1_4_domain_and_path_are_set_on_the_fly
1.4 | Jython's cryptography | gone: no Jython
1.4 | PostgreSQL | test_eight_processes_begin_at_once_on_postgresql
1.3.1 | its documentation | gone: its own pages
1.3.1 | remove is remove_value | test_1_3_1_remove_is_remove_value
1.3.1 | cookie sessions can be invalidated | test_1_6_4_invalidating_a_cookie_session_clears_its_data
1.3.1 | CacheMiddleware knows regions | test_1_3_1_the_middleware_knows_regions
1.3 | last_accessed | test_1_3_last_accessed_is_the_time_before
1.3 | entry points | test_1_3_entry_points_add_backends, test_a_package_of_others_adds_its_backend
1.3 | invalidate under a lock | test_a_locked_session_can_end
1.3 | cache.cache | test_1_6_invalidate_removes_what_cache_keeps
1.3 | cache.region | test_1_4_1_region_invalidate_of_the_manager
1.3 | regions, in INI files or as cache_regions | option configuration regions, test_1_3_regions_may_be_an_argument
1.3 | the timeout is kept | option Session timeout, test_1_3_the_timeout_counts_from_the_last_access
1.3 | an unsaved cookie session sends nothing | test_1_3_a_cookie_session_that_was_not_saved_sends_nothing
1.3 | a look counts as access | test_1_3_the_timeout_counts_from_the_last_access
1.3 | parse_cache_config_options | test_options_become_what_beaker_makes_of_them
1.3 | memcached is not told the time of expiry | gone: since 1.9.0 it is, with room for who makes the next value
1.2.3 | expiry is judged before the access counts | test_1_3_the_timeout_counts_from_the_last_access
1.2.3 | no folder is needed where nothing is kept in files | test_1_2_3_stores_that_need_no_folder_ask_for_none
1.2.3 | memory and servers need no read locks | test_a_manager_of_servers_needs_no_locks
1.2.2 | a deleted session is deleted | test_the_record_ends_with_the_session
1.2.1 | None of memcached is nothing | test_1_2_1_a_none_of_the_server_is_no_value
1.2 | a session is stored once | test_1_2_a_session_is_stored_once_however_often_it_is_saved
1.2 | revert | test_1_2_revert_brings_back_what_the_request_began_with
1.2 | one key for all of a session | test_1_2_all_of_a_session_lies_under_one_key
1.1.3 | values of before 1.1 are current | test_1_1_3_values_of_before_1_1_are_current
1.1.3 | InvalidCacheBackendError is an ImportError | test_promise_1_1_3_a_missing_backend_is_an_import_error
1.1.2 | values of before 1.1 are read | test_1_1_2_values_of_before_1_1_are_read
1.1.1 | arguments of the google manager | option GoogleNamespaceManager table_name
1.1.1 | no lock file is left open | test_1_1_1_no_lock_file_is_left_open
1.1 | a removed file is a removed value | test_1_1_who_removes_a_file_has_removed_its_values
1.1 | lock files stay | test_1_1_lock_files_stay, test_promise_1_1_lock_files_are_never_removed
1.1 | type at each call is deprecated | test_1_1_type_at_each_call_is_deprecated_and_works
1.1 | a value knows when it is over | test_1_1_the_value_knows_when_it_is_over
1.1 | memcached lists no keys; remove() clears them | test_what_is_missing_or_unknown, test_clearing_a_namespace_leaves_the_others_alone
1.1 | memcached is told the time of expiry | test_1_9_0_stores_that_forget_by_themselves_are_told_when
1.1 | values by thread | test_a_thread_has_its_own_value
1.0.3 | getpid of App Engine | gone: App Engine's Python 2
1.0.3 | _expires among the values of a cookie | test_a_cookie_session_can_forget_when_it_ends, test_1_10_cookies_are_read
1.0.2 | a session that was never kept can be invalidated | test_1_0_2_a_session_that_was_never_saved_can_be_invalidated
1.0.1 | a cookie session keeps its id | test_1_0_1_a_cookie_session_has_its_id_in_its_values
1.0 | deleting deletes the cookie | test_1_0_deleting_deletes_the_cookie
1.0 | each get has its own createfunc | test_1_0_each_get_has_its_own_function
0.9.5 | keys of memcached may disappear | test_1_4_2_a_value_that_goes_between_two_looks_is_made_anew
0.9.5 | a value can be set again | test_0_9_5_a_value_can_be_set_again
0.9.4 | google, and its table_name | test_0_9_4_google_and_others_need_no_ext, option GoogleNamespaceManager table_name
0.9.4 | no id leads out of the folder | test_no_id_of_a_client_becomes_a_path, test_promise_0_9_4_no_name_leads_out_of_the_folder
0.9.4 | Paste's registry | test_pastes_registry_knows_the_session
0.9.3 | cookie sessions have an id | test_1_0_1_a_cookie_session_has_its_id_in_its_values
0.9.3 | no error where PyCrypto is missing | test_promise_1_10_who_encrypts_nothing_needs_nothing
0.9.3 | errors of the application pass through | test_0_9_3_errors_of_the_application_pass_through
0.9.3 | hmac of Python 2.4 | gone: a Python of today only
0.9.3 | a lookup uses its own settings | test_0_9_3_a_lookup_uses_its_own_settings
0.9.2 | secure | option Session secure, option CookieSession secure
0.9.2 | CTRCipher is gone | gone: it was Beaker's own
0.9.2 | AES of 256 bits | test_the_key_of_a_session_is_that_of_beaker
0.9.2 | signatures are HMACs | test_signed_cookies_know_their_signature
0.9.2 | memcached clears many at once, and keeps None | test_a_none_is_a_value, test_clearing_a_namespace_leaves_the_others_alone
0.9.2 | cookie.py is gone | gone: it came back in 1.9
0.9.2 | cookie sessions without encryption | option CookieSession encrypt_key
0.9.2 | AES in counter mode | test_the_same_bytes_are_written
0.9.1 | the middleware imports what it uses | test_all_names_and_signatures_are_there
0.9 | spaces in names of memcached | test_the_genuine_library_and_ours_find_each_others
0.9 | signatures are SHA-1 | test_signed_cookies_know_their_signature
0.9 | cookies are encrypted with AES | test_beaker_reads_what_we_write_and_we_what_it_writes
0.9 | the middlewares are in middleware | test_all_names_and_signatures_are_there, test_0_9_old_spellings_of_options_are_warned_of
0.9 | cookie-only sessions with RC4 | gone: replaced in the same release
0.9 | cookie_domain | option Session cookie_domain, option CookieSession cookie_domain
0.8.1 | a missing SQLAlchemy is told of | test_what_is_missing_is_said
0.8 | a session is always written to the database | test_either_library_goes_on_with_the_others_data
0.8 | spaces in keys of memcached | test_the_genuine_library_and_ours_find_each_others
0.8 | a row for each namespace, with accessed and created | test_the_table_is_beakers, test_clean_up_scripts_go_by_accessed
0.8 | no needless selects | test_one_statement_to_save_what_was_loaded
0.8 | SQLAlchemy 0.4 | gone: SQLAlchemy of today
0.7.5 | data_dir may be None | test_options_become_what_beaker_makes_of_them
0.7.5 | get_by_id finds what was just saved | test_0_7_5_get_by_id_finds_a_session_and_makes_none
0.7.5 | get_by_id makes no file | test_0_7_5_get_by_id_finds_a_session_and_makes_none
0.7.5 | get_by_id | test_0_7_5_get_by_id_knows_the_timeout, test_get_by_id_works_where_cookies_are_off
0.7.4 | arguments as Pylons passes them | test_pastes_factories_wrap_an_application
0.7.4 | its tests | gone: its own tests
0.7.4 | locks of files that are taken again | test_each_step_does_what_it_does_in_beaker
0.7.4 | locks are let go where nothing can be opened | test_0_7_4_locks_are_let_go_where_nothing_can_be_opened
0.7.3 | options of the session middleware | option SessionMiddleware config
0.7.3 | the cookie is sent once, for what was saved | test_pages_and_cookies_are_the_same
0.7.2 | the middlewares in cache and session | gone: Beaker 0.9 moved them
0.7.1 | many threads use one container | test_one_creates_and_the_others_wait
0.7 | arguments of Cache | option Cache type, option Cache expire
0.7 | ext:database | test_old_rows_in_both_forms_are_read
0.7 | namespaces on memcached | test_clearing_a_namespace_leaves_the_others_alone
0.7 | its tests | gone: its own tests
0.7 | its tests | gone: its own tests
0.7 | no NamespaceContext | gone: it never was in a release since
0.7 | container has a log | test_every_name_of_these_modules_is_there
0.7 | arguments of managers by name | test_a_subclass_may_set_the_client_itself, test_namespace_class_is_used
0.7 | create_namespace of containers | gone: Beaker dropped it
0.7 | clear() | test_0_7_clear_removes_all
0.7 | clear() clears the namespace | test_0_7_clear_removes_all
0.7 | servers of memcached between semicolons | test_nobody_is_logged_out_on_the_way_there_and_back
0.7 | MyghtyUtils | gone: it is Beaker since
0.6.3 | a session needs a dict for a request | test_1_2_all_of_a_session_lies_under_one_key
0.6.3 | keys of dbm | test_0_6_3_keys_of_files_are_of_any_alphabet
0.6.3 | files that were missing | gone: its own packaging
0.6.3 | only what is there is a session | test_an_id_that_names_no_record_is_never_used
0.6.3 | an empty session is made once | test_0_6_3_an_empty_session_is_made_once
"""


def lines() -> list[tuple[str, str, str]]:
    """Return each line as (release, words, what shows it)."""
    return [
        tuple(part.strip() for part in line.split("|")) for line in CHANGELOG.strip().split("\n")
    ]


def releases_of(text: str) -> list[str]:
    """Return the release of each line in the document, in its order."""
    section = text[text.index("\nChanges in Beaker\n") : text.index("\nIndices and tables\n")]
    found, release = [], ""
    for line in section.split("\n"):
        if line.startswith("Release "):
            release = line.split()[1]
        elif line.strip().startswith("•"):
            found.append(release)
    return found
