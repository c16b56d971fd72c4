"""A class of an application, such as stands in sessions and caches."""

__all__ = ["Cart"]


class Cart:
    """What somebody wants to buy."""

    def __init__(self, *things: str) -> None:
        self.things = things

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cart) and self.things == other.things

    __hash__ = None  # type: ignore[assignment] # as of any class with `__eq__`
