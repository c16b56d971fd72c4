"""Applications of Beaker, pycket, pyramid_beaker, pyramid_kvs and pytyrant, unchanged.

    import holdfast.compat

    holdfast.compat.install("beaker", "pyramid_beaker")

Law: importing this changes nothing; `install` makes the original import names resolve to the
modules here, for this process. `python -m holdfast.compat NAMES -- COMMAND` and the environment
variable `HOLDFAST_COMPAT` do the same without touching a file.
"""

from holdfast.compat.names import install
from holdfast.compat.settings import CompatWarning, configure, refused

__all__ = ["CompatWarning", "configure", "install", "refused"]
