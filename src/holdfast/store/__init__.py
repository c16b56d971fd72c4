"""Stores: they keep bytes under keys with an expiry, and are the only thing that does I/O.

`protocol.py` is the contract in prose, `abilities.py` what some stores can beside it, `registry.py`
opens a store by its URL, and every other file is one store, which never sees another.
"""
