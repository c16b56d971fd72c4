"""Records sealed at rest: nobody who reads or writes the store learns or moves anything."""

from collections.abc import Callable, Mapping

import pytest
from counting import CountingStore
from faces import Faces

from holdfast.errors import ConfigError
from holdfast.session import Sessions, data, index
from holdfast.signing import Key, KeyRing

SECRET = "Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE"
NEW = "p0Oi9Uy7Tr5Ew3Qa1Sd2Fg4Hj6Kl8Zx-cVb"
Events = list[tuple[str, Mapping[str, object]]]
Make = Callable[..., Faces]


def values(store: CountingStore) -> dict[str, bytes]:
    return store.get_many(store.keys())


def test_40_nothing_in_the_store_can_be_read(make: Make, store: CountingStore) -> None:
    faces = make(secrets=SECRET)
    session = faces.load(None)
    session["card"] = "4111111111111111"
    session.flash("a message to nobody else")
    session.login("ann@example.com", "the red phone")
    token = faces.sent(session)
    everything = b"".join(values(store).values()) + "".join(store.keys()).encode()
    for secret in (b"4111111111111111", b"a message", b"ann@example.com", b"red phone", b"card"):
        assert secret not in everything
    assert token.encode() not in everything
    assert faces.load(token).id.encode() not in b"".join(values(store).values())
    session = faces.load(token)
    assert session["card"] == "4111111111111111"
    assert session.pop_flash() == ["a message to nobody else"]
    assert [info.label for info in faces.of("ann@example.com")] == ["the red phone"]


def test_40_swapped_blobs_fail(make: Make, store: CountingStore, events: Events) -> None:
    faces = make(secrets=SECRET)
    ann, bob = faces.signed_in("ann"), faces.signed_in("bob")
    keys = sorted(store.scan("s:"))
    raws = values(store)
    store.put(keys[0], raws[keys[1]])
    store.put(keys[1], raws[keys[0]])
    assert faces.alive(ann, bob) == [False, False]
    assert [name for name, _ in events].count("session.corrupt") == 2


def test_40_nor_does_an_index_of_another(make: Make, store: CountingStore) -> None:
    faces = make(secrets=SECRET)
    faces.signed_in("ann")
    faces.signed_in("bob")
    ann, bob = (f"u:{index.key_of(user)}" for user in ("ann", "bob"))
    raw = store.get(bob)
    assert raw is not None
    store.put(ann, raw)
    assert faces.of("ann") == []
    assert faces.revoke("ann") == 0
    assert len(faces.of("bob")) == 1


def test_33_what_is_not_sealed_is_never_read(make: Make, store: CountingStore) -> None:
    faces = make(secrets=SECRET)
    token = faces.new()
    (key,) = store.keys()
    store.put(key, data.encode(data.blank(1_000_000.0)._replace(reserved={"user": "root"})))
    assert faces.user(token) is None
    assert faces.alive(token) == [False]


def test_every_octet_counts(make: Make, store: CountingStore) -> None:
    faces = make(secrets=SECRET)
    token = faces.new()
    (key,) = store.keys()
    raw = store.get(key)
    assert raw is not None
    for at in range(len(raw)):
        store.put(key, raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        assert faces.sessions.load(token).is_new
    store.put(key, raw)
    assert faces.alive(token) == [True]


def test_35_keys_change_and_nobody_is_logged_out(make: Make) -> None:
    old = make(secrets=SECRET)
    token = old.signed_in("ann")
    both = make(secrets=[NEW, SECRET])
    session = both.load(token)
    assert session.user == "ann"
    session["a"] = 2
    both.commit(session)  # sealed by the new key from now on
    only_new = make(secrets=KeyRing([NEW, Key(SECRET, revoked=True)]))
    assert only_new.load(token)["a"] == 2


def test_everything_works_as_without(make: Make) -> None:
    faces = make(secrets=SECRET, max_sessions=1)
    token = faces.new(n=1)
    one, two = faces.load(token), faces.load(token)
    one["a"], two["b"] = 1, 2
    faces.commit(one)
    faces.commit(two)
    session, late = faces.load(token), faces.load(token)
    late.increment("n")
    session.rotate()
    new = faces.sent(session)
    faces.commit(late)
    assert dict(faces.load(new)) == {"n": 2, "a": 1, "b": 2}
    first = faces.signed_in("ann", new)
    second = faces.signed_in("ann")
    assert faces.alive(first, second) == [False, True]
    session = faces.load(second)
    session.logout()
    faces.commit(session)
    assert faces.alive(second) == [False]


def test_36_a_weak_secret() -> None:
    with pytest.raises(ConfigError, match="secrets"):
        Sessions("memory://", secrets="changeme")
