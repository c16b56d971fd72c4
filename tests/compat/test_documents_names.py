"""Every public name of pycket, pyramid_beaker and pyramid_kvs is here."""

import json
from typing import Any

import pytest

from compat.seeds import genuine, ours
from compat.test_documents_beaker_names import NAMES

WORKINGS = {"storable": "one byte codes and their readers, which are codec/storable here"}
"""Modules of pyramid_kvs whose names nobody imports, and what is there instead."""


@pytest.mark.parametrize(
    ("library", "names", "least"),
    [
        ("pycket", "pycket", 10),
        ("pyramid_beaker", "beaker,pyramid_beaker", 5),
        ("pyramid_kvs", "pyramid_kvs", 20),
    ],
)
def test_each_public_name_is_here(library: str, names: str, least: int) -> None:
    theirs: dict[str, Any] = json.loads(genuine(NAMES, "[]", library))
    # their own tests aside
    theirs = {module: found for module, found in theirs.items() if ".tests" not in module}
    said = json.loads(ours(names, NAMES, json.dumps(list(theirs)), library))
    missing, seen = [], 0
    for module, found in theirs.items():
        assert None not in (found, said[module]), module
        if module.rpartition(".")[2] in WORKINGS:
            continue
        for name, members in found.items():
            seen += 1
            has = said[module].get(name)
            missing += [f"{module}.{name}.{each}" for each in members if has and each not in has]
            missing += [f"{module}.{name}"] if has is None else []
    assert missing == []
    assert seen >= least
