"""What the servers of SQL databases share."""

import os
import pwd

from servers.process import Server, missing

__all__ = ["Database", "user_named"]


def user_named(name: str) -> str | None:
    """Return whom a server runs as that refuses root; ourselves where we are not root."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam(name).pw_name
    except KeyError:
        missing(f"the user {name}")
        return None


class Database:
    """One running server with a database in it.

    Attributes:
        server: Its process: `kill`, `start`, `pause`, `go_on`.
        url: The address of its database, as SQLAlchemy and `open_store` take it.
    """

    def __init__(self, server: Server, url: str) -> None:
        self.server = server
        self.url = url

    def restart(self) -> None:
        """End it at once, as a power cut would, and start it again."""
        self.server.kill()
        self.server.start()

    def url_of(self, driver: str) -> str:
        """Return the address for another driver, such as `asyncpg` or `asyncmy`."""
        dialect, _, rest = self.url.partition("+")
        return f"{dialect}+{driver}:{rest.partition(':')[2]}"
