"""`pycket.notification`: values that are read once.

Law: reading takes the value out of the record in one step, so that of two requests one gets it. On
memcached they lie in the record of the session itself, as they always did.
"""

from typing import Any

from holdfast.compat.pycket.session import SessionManager, create_mixin

__all__ = ["NotificationManager", "NotificationMixin", "SessionManager", "create_mixin"]


class NotificationManager(SessionManager):
    """The notifications of one handler; for its arguments see `SessionManager`."""

    STORAGE_CATEGORY = "db_notifications"

    def get(self, name: Any, default: Any = None) -> Any:
        """Return the value under `name` and remove it, or `default`.

        Raises:
            StoreError: The server gave no answer.
        """

        def step(record: dict[Any, Any]) -> Any:
            if record.get(name) is None:
                return record.get(name, default)
            return record.pop(name)

        return self._change(step, renew=False)


class NotificationMixin:
    """Gives a handler its notifications: `class Home(RequestHandler, NotificationMixin)`."""

    @property
    def notifications(self) -> NotificationManager:
        """The notifications of this request."""
        return create_mixin(self, "__notification_manager", NotificationManager)
