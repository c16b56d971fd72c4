"""Applications of Beaker, pycket, pyramid_beaker, pyramid_kvs and pytyrant, unchanged.

Law: importing this changes nothing; `install` makes the original import names resolve to the
modules here, for this process.
"""

from holdfast.compat.settings import CompatWarning, configure, refused

__all__ = ["CompatWarning", "configure", "refused"]
