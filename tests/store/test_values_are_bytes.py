"""A value that is no bytes is refused where it is given, by every store that keeps any."""

from pathlib import Path
from typing import Any

import pytest

from holdfast import open_store


@pytest.mark.parametrize("url", ["memory://", "file:///{}/rows", "sqlite:///{}/rows.db"])
@pytest.mark.parametrize("value", [5, "text", [1, 2]])
def test_what_is_no_bytes_is_refused_and_changes_nothing(
    url: str, value: Any, tmp_path: Path
) -> None:
    with open_store(url.format(tmp_path)) as store:
        for write in (
            lambda: store.put("k", value),
            lambda: store.put_many({"k": value}),
            lambda: store.swap("k", None, value),
        ):
            with pytest.raises(TypeError, match="bytes-like"):
                write()
            assert store.get("k") is None


@pytest.mark.parametrize("url", ["memory://", "file:///{}/rows", "sqlite:///{}/rows.db"])
def test_a_buffer_is_kept_as_it_was(url: str, tmp_path: Path) -> None:
    with open_store(url.format(tmp_path)) as store:
        buffer: Any = bytearray(b"v")  # to a type checker no bytes, and kept all the same
        store.put("k", buffer)
        buffer[0] = 0
        assert store.get("k") == b"v"
        buffer = memoryview(b"w")
        assert store.swap("k", b"v", buffer)
        assert store.get("k") == b"w"
