"""One application of pyramid_beaker on the genuine library and on ours: same pages, same store."""

import json
from pathlib import Path
from typing import Any

import pytest

from compat.seeds import genuine, ours

SITE = Path(__file__).parent / "pyramid_beaker_site.py"
GENUINE, MIXED, OURS = "genuine", "mixed", "ours"
AS_IT_WAS = {"HOLDFAST_COMPAT_UNSAFE": "unknown-ids,old-ids,kept-records"}
KEYS = {"validate_key": "v" * 20, "encrypt_key": "e" * 20}
BEGIN = ["/untouched", "/state", "/", "/", "/cart?add=tea", "/flash", "/csrf", "/fail", "/dict"]
GO_ON = ["/state", "/", "/cart?add=milk", "/cart", "/pop", "/csrf-back", "/csrf", "/fail", "/dict"]
GO_ON += ["/flash"]
END = ["/state", *GO_ON[1:], "/clear", "/state", "/", "/leave", "/state", "/", "/delete", "/state"]


def sites(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the settings of each site, as texts of an .ini file."""
    file = {"session.type": "file", "session.data_dir": f"{folder}/data"}
    short = {"cache.regions": "short_term", "cache.short_term.expire": "60"}
    return {
        "document": {
            **file, "session.lock_dir": f"{folder}/lock", "session.key": "mykey",
            "session.secret": "mysecret", "session.cookie_on_exception": "true",
        },
        "silent": {
            **file, "session.data_dir": f"{folder}/silent", "session.timeout": "3600",
            "session.cookie_on_exception": "false",
        },
        "prefixed": {
            "beaker.session.type": "dbm", "beaker.session.data_dir": f"{folder}/dbm",
            "beaker.session.cookie_expires": "300", "beaker.session.httponly": "true",
        },
        "sealed": {"session.type": "cookie", "session.key": "c"}
        | {f"session.{key}": value for key, value in KEYS.items()},
        "signed": {"session.type": "cookie", "session.validate_key": "v" * 20},
        "json": {**file, "session.data_dir": f"{folder}/json", "session.data_serializer": "json"},
        "table": {
            "session.type": "ext:database", "session.url": f"sqlite:///{folder}/table.db",
            "session.lock_dir": f"{folder}/lock", "session.secret": "s",
        },
        "auto": {**file, "session.data_dir": f"{folder}/auto", "session.auto": "true"},
        "constant": {**file, "session.constant_csrf_token": "T", **short, "cache.type": "memory"},
    }  # fmt: skip


def _visit(by: str, folder: Path, paths: list[str], **environ: Any) -> dict[str, Any]:
    settings = sites(folder)
    if by == MIXED:  # greenlet, which our SQL stores need, is not beside the genuine libraries
        del settings["table"]
    arguments = (folder, json.dumps(settings), json.dumps(paths))
    if by == GENUINE:
        printed = genuine(SITE, *arguments)
    elif by == MIXED:  # the genuine pyramid_beaker on our beaker
        script = f"import holdfast.compat.hook\n{SITE.read_text(encoding='utf-8')}"
        printed = genuine(script, *arguments, HOLDFAST_COMPAT="beaker", **environ)
    else:
        printed = ours("beaker,pyramid_beaker", SITE, *arguments, **environ)
    pages: dict[str, Any] = json.loads(printed)
    return pages


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the pages of three processes of the genuine library, one after the other."""
    folder = tmp_path_factory.mktemp("genuine")
    return [_visit(GENUINE, folder, paths) for paths in (BEGIN, GO_ON, END)]


def _is_same(expected: dict[str, Any], found: dict[str, Any]) -> bool:
    for name, pages in found.items():
        assert pages == expected[name], name
    return bool(found)


@pytest.mark.slow
@pytest.mark.parametrize("by", [OURS, MIXED])
def test_a_site_goes_on_where_the_genuine_library_was(
    expected: list[dict[str, Any]], tmp_path: Path, by: str
) -> None:
    assert _is_same(expected[0], _visit(GENUINE, tmp_path, BEGIN))
    assert _is_same(expected[1], _visit(by, tmp_path, GO_ON))
    assert _is_same(expected[2], _visit(by, tmp_path, END, **AS_IT_WAS))


@pytest.mark.slow
def test_it_goes_there_and_back_while_old_processes_still_run(
    expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    old = {"HOLDFAST_COMPAT_OLD_FORM": "1"}
    assert _is_same(expected[0], _visit(OURS, tmp_path, BEGIN, **old))
    assert _is_same(expected[1], _visit(GENUINE, tmp_path, GO_ON))
    assert _is_same(expected[2], _visit(OURS, tmp_path, END, **old, **AS_IT_WAS))


@pytest.mark.slow
def test_regions_keep_what_they_are_asked_for(tmp_path: Path) -> None:
    paths = json.dumps(["/search?q=tea", "/search?q=tea", "/search?q=milk", "/search?q=tea"])
    cache = {"cache.regions": "short_term, long_term", "cache.type": "file"}
    site = {"a": {**cache, "cache.data_dir": f"{tmp_path}/c", "cache.short_term.expire": "60"}}
    arguments = (SITE, tmp_path, json.dumps(site), paths)
    first, again = (json.loads(genuine(*arguments))["a"] for _ in range(2))
    assert [page[2] for page in first] == [
        "found tea made",
        "found tea kept",
        "found milk made",
        "found tea kept",
    ]
    assert [page[2] for page in again] == [page[2].replace("made", "kept") for page in first]
    assert json.loads(ours("beaker,pyramid_beaker", *arguments))["a"] == again
