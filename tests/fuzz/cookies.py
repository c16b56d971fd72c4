"""Laws of the Cookie header: what is found in it, said a second time, slowly.

Law: the second parser shares nothing with the first: it walks over the octets one by one. It is
right because it is stupid, and the first is right because it agrees.
"""

import base64
import hashlib

from fuzz.edits import edited, octets
from holdfast.web.cookie import pairs, values
from holdfast.web.transport import NOTHING, Carried, Cookie

__all__ = ["CHUNKED", "HEADERS", "LARGE", "NAME", "SINGLE", "chunks", "reads", "slow_pairs"]

SINGLE = Cookie()
CHUNKED = Cookie(max_chunks=10)
NAME = SINGLE.bound_name
TOKEN = "A" * 43
LARGE = "abcdefgh" * 1200  # three chunks
MOST_EXPIRED = 20
COUNTS = ("2", "3", "4", "5", "6", "7", "8", "9", "10")


def header(cookie: Cookie, token: str) -> str:
    """Return the Cookie header of a browser that was given `token`."""
    return "; ".join(line.partition(";")[0] for _, line in cookie.write(token))


WHOLE = header(CHUNKED, LARGE)
HEADERS = [
    text.encode("latin-1")
    for text in (
        f"{NAME}={TOKEN}",
        f"a=b; {NAME}={TOKEN}; c=d",
        f"{NAME}=1; {NAME}=2",
        f"\t{NAME} \t= \t1 ;{NAME}.1=2;{NAME}.11=3;{NAME}.01=4;{NAME}.001=5",
        f"\x1f{NAME}=1; \xa0{NAME}=2; ={NAME}=3; %5F%5FHost-sid=4; __host-sid=5",
        f'{NAME}="a\\073b"; {NAME}x=1; {NAME}',
        f"{NAME}=2.{'A' * 22}; {NAME}.1=a; {NAME}.2=b",
        header(CHUNKED, "ab" * 2000),
        ";;; ; =; ==;",
        f"{NAME}=\xa01\x85",
        f" {NAME}=\x1c1\xa0; __Host%2Dsid=4",
        f"{NAME}=\x0b1\x0c; a=b;{NAME}=\x1f2\xa0",
        f"{NAME}=1; " + "; ".join(f"{NAME}.{number}=1" for number in range(25)),
        "; ".join(f"{NAME}.{number}=1" for number in [*range(25), 1]),
    )
]


def reads(data: bytes) -> None:
    """Assert that any header is read as the second parser reads it, by both kinds of cookie."""
    text = octets(data)
    found = slow_pairs(text)
    assert list(pairs(text)) == found
    for name in (NAME, "a", f"{NAME}.1", "aa"):
        assert values(text, name) == [value for other, value in found if other == name], name
    assert SINGLE.read(text) == _single(found)
    assert_carried(text)


def chunks(data: bytes) -> None:
    """Assert that a token in three cookies, with any edits, is that token or none."""
    text = octets(edited(WHOLE.encode(), data))
    token, _, event = CHUNKED.read(text)
    assert_carried(text)
    if event == "" and token is not None and token != LARGE:
        assert (NAME, token) in slow_pairs(text)  # all chunks were edited away


def assert_carried(text: str) -> None:
    """Assert that counted cookies agree, and what the answer says is fit to be sent."""
    carried = CHUNKED.read(text)
    assert carried == _chunked(slow_pairs(text))
    _, names, event = carried
    assert len(names) <= MOST_EXPIRED
    lines = CHUNKED.forget(names) if event else CHUNKED.write(TOKEN, expire=names)
    for key, line in lines:
        assert key == "Set-Cookie"
        assert line.startswith(NAME)
        assert line.isascii()
        assert line.isprintable()


def slow_pairs(text: str) -> list[tuple[str, str]]:
    """Return name and value of every cookie that has a name."""
    found: list[tuple[str, str]] = []
    name, value, in_value = "", "", False
    for sign in f"{text};":
        if sign == ";":
            if in_value and _trimmed(name):
                found.append((_trimmed(name), _trimmed(value)))
            name, value, in_value = "", "", False
        elif in_value:
            value += sign
        elif sign == "=":
            in_value = True
        else:
            name += sign
    return found


def _trimmed(text: str) -> str:
    while text and text[0] in " \t":
        text = text[1:]
    while text and text[-1] in " \t":
        text = text[:-1]
    return text


def _single(found: list[tuple[str, str]]) -> Carried:
    ours = [value for name, value in found if name == NAME]
    if len(ours) > 1:
        return None, (NAME,), "cookie_tossing"
    return (ours[0], (), "") if ours else NOTHING


def _chunked(found: list[tuple[str, str]]) -> Carried:
    ours = [(name, value) for name, value in found if name == NAME or _is_numbered(name)]
    names = tuple(dict.fromkeys(name for name, _ in ours))
    if not ours:
        return NOTHING
    if len(names) != len(ours):
        return None, names[:MOST_EXPIRED], "cookie_tossing"
    head = dict(ours).get(NAME, "")
    if names == (NAME,) and not _is_head(head):
        return head, (), ""
    count = int(head.partition(".")[0]) if _is_head(head) else 0
    tail = [f"{NAME}.{number}" for number in range(1, count + 1)]
    token = "".join(dict(ours).get(name, "") for name in tail)
    if count and {*names} == {NAME, *tail} and _hashed(token) == head.partition(".")[2]:
        return token, tuple(name for name in names if name != NAME), ""
    return None, names[:MOST_EXPIRED], "chunks_rejected"


def _is_numbered(name: str) -> bool:
    number = name.removeprefix(f"{NAME}.")
    return number != name and len(number) in (1, 2) and set(number) <= set("0123456789")


def _is_head(value: str) -> bool:
    count, dot, digest = value.partition(".")
    return bool(dot) and count in COUNTS and _is_digest(digest)


def _is_digest(text: str) -> bool:
    return len(text) == 22 and text.isascii() and text.replace("-", "a").replace("_", "a").isalnum()


def _hashed(token: str) -> str:
    digest = hashlib.sha256(token.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode()[:22]
