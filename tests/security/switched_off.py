"""All that is switched off, one at a time: what the `mutations_*.py` beside this have."""

import importlib
from pathlib import Path

from mutation import Mutation

__all__ = ["MUTATIONS"]

MUTATIONS: list[Mutation] = [
    mutation
    for path in sorted(Path(__file__).parent.glob("mutations_*.py"))
    for mutation in importlib.import_module(path.stem).MUTATIONS
]
