"""What a type checker sees of typed sessions; mypy reads this file, pytest runs it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, assert_type

from holdfast.session import AioSessions, Schema, Session, Sessions


@dataclass
class Shop:
    """A session."""

    visits: int = 0
    cart: list[str] = field(default_factory=list)


def test_sessions_of_a_schema_have_its_data() -> None:
    sessions = Sessions("memory://", schema=Shop)
    assert_type(sessions, Sessions[Shop])
    session = sessions.load(None)
    assert_type(session, Session[Shop])
    assert_type(session.data, Shop)
    assert_type(session.data.cart, list[str])
    assert_type(sessions.aio, AioSessions[Shop])
    assert session.data == Shop()


def test_so_have_those_of_a_schema_with_a_version() -> None:
    sessions = Sessions("memory://", schema=Schema(Shop, version=1))
    assert_type(sessions, Sessions[Shop])
    in_cookie = Sessions.in_cookie("Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE", schema=Shop)
    assert_type(in_cookie.load(None).data, Shop)
    preset: Sessions[Shop] = Sessions.preset("aal2", "memory://", schema=Shop)
    assert preset.load(None).data == sessions.load(None).data == in_cookie.load(None).data


def test_so_have_those_of_an_event_loop() -> None:
    sessions = Sessions("memory://", schema=Shop)

    async def main() -> Session[Shop]:
        assert_type(await sessions.aio.load(None), Session[Shop])
        lazy = sessions.aio.lazy(None)
        assert_type(lazy, Session[Shop])
        assert_type(await lazy.load(), Session[Shop])
        return lazy

    assert asyncio.run(main()).data.visits == 0


def test_sessions_without_a_schema_need_no_parameter() -> None:
    sessions = Sessions("memory://")
    assert_type(sessions, Sessions[Any])

    def visits(session: Session) -> int:
        assert_type(session, Session[Any])
        return int(session.get("visits", 0))

    read: Callable[[Session], int] = visits
    assert read(sessions.load(None)) == 0


def test_wrong_uses_are_wrong_for_the_checker() -> None:
    sessions = Sessions("memory://", schema=Shop)

    def never() -> None:
        session = sessions.load(None)
        session.data.visit = 3  # type: ignore[attr-defined]
        session.data.visits = "3"  # type: ignore[assignment]
        session.data = Shop()  # type: ignore[misc]
        Sessions("memory://", schema=Shop())  # type: ignore[arg-type]
        Schema(Shop, 2)  # type: ignore[call-arg]
        Schema(Shop, version=2, migrations={1: len})  # type: ignore[dict-item]

    assert callable(never)
