"""The class of the article, as it is printed, with what the text cuts off put back.

What was missing is marked. It knows nothing of Holdfast: `beaker` and `pytyrant` are what an
application imports.
"""

import logging

from beaker.container import Container, NamespaceManager
from beaker.exceptions import InvalidCacheBackendError, MissingCacheParameter  # missing
from beaker.synchronization import file_synchronizer
from beaker.util import verify_directory

try:  # missing
    from pytyrant import PyTyrant
except ImportError as error:
    raise InvalidCacheBackendError(
        "PyTyrant cache backend requires the 'pytyrant' library"
    ) from error

import json

log = logging.getLogger(__name__)


class TokyoCabinetManager(NamespaceManager):
    def __init__(self, namespace, url=None, data_dir=None, lock_dir=None, **params):
        NamespaceManager.__init__(self, namespace)

        if not url:
            raise MissingCacheParameter("url is required")

        if lock_dir:
            self.lock_dir = lock_dir
        elif data_dir:
            self.lock_dir = data_dir + "/container_tcd_lock"
        if self.lock_dir:
            verify_directory(self.lock_dir)  # missing

        host, port = url.split(":")
        self.tc = PyTyrant.open(host, int(port))  # missing: its left side

    def get_creation_lock(self, key):
        return file_synchronizer(
            identifier="tccontainer/funclock/%s" % self.namespace, lock_dir=self.lock_dir
        )

    def _format_key(self, key):
        return self.namespace + "_" + key  # missing: the key

    def __getitem__(self, key):
        return json.loads(self.tc.get(self._format_key(key)))  # missing: its argument

    def __contains__(self, key):
        return self._format_key(key) in self.tc  # missing

    def has_key(self, key):
        return key in self

    def set_value(self, key, value):
        self.tc[self._format_key(key)] = json.dumps(value)  # missing: the mapping

    def __setitem__(self, key, value):
        self.set_value(key, value)

    def __delitem__(self, key):
        del self.tc[self._format_key(key)]  # missing

    def do_remove(self):
        for key in self.keys():  # missing
            del self.tc[key]

    def keys(self):
        return self.tc.prefix_keys(self.namespace + "_")  # missing


class TokyoCabinetContainer(Container):
    namespace_manager = TokyoCabinetManager
