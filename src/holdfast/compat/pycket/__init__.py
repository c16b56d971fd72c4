"""pycket's modules and names: sessions and notifications of Tornado on Redis or memcached.

Law: what its document and its version 0.3 promise, over Holdfast's stores. `holdfast.ext.tornado`
is the native way.
"""
