"""What a mutation is: one rule taken out of the code, and the tests that must notice."""

from dataclasses import dataclass

__all__ = ["Mutation"]


@dataclass(frozen=True)
class Mutation:
    """One rule taken out.

    Attributes:
        name: The rule, in a few words.
        file: The file it stands in, relative to `src/holdfast`.
        old: The text that obeys it; occurs exactly once.
        new: The text that does not.
        tests: What pytest must then fail in.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str

    def __str__(self) -> str:
        return self.name
