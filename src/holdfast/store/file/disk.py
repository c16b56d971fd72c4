"""What both stores of files ask of the disk.

Law: what is not there is no error. Paths are text here, for speed.
"""

import os

__all__ = ["names_in", "removed", "write_all"]


def names_in(folder: str) -> list[str]:
    """Return what lies in a folder; nothing if there is none."""
    try:
        return os.listdir(folder)  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []


def removed(path: str) -> bool:
    """Remove a file; return whether it was there."""
    try:
        os.unlink(path)  # noqa: PTH108
    except FileNotFoundError:
        return False
    return True


def write_all(file: int, data: bytes) -> None:
    """Write all of `data` to an open file."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
