"""Wrappers: stores around a store; they stack in any order.

Law: a wrapper is an `OpenStore` and has exactly those abilities the store inside has, but for
`Sealed`, which cannot increment. Closing it closes the store inside.
"""

from holdfast.store.wrap.metered import Metered, Operation
from holdfast.store.wrap.prefixed import Prefixed
from holdfast.store.wrap.readonly import ReadOnly
from holdfast.store.wrap.retrying import Retrying
from holdfast.store.wrap.sealed import Sealed

__all__ = ["Metered", "Operation", "Prefixed", "ReadOnly", "Retrying", "Sealed"]
