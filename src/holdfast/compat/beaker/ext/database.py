"""`beaker.ext.database`: namespaces as rows of a table that is made where it is missing.

Law: one engine for each URL in a process. The table is the original's, which finds its rows here
and ours there.
"""

from typing import TYPE_CHECKING, Any

from holdfast.compat.beaker.container import Container
from holdfast.compat.beaker.exceptions import InvalidCacheBackendError, MissingCacheParameter
from holdfast.compat.beaker.ext.sqla import SqlaNamespaceManager, columns
from holdfast.errors import ConfigError

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["DatabaseContainer", "DatabaseNamespaceManager"]


class DatabaseNamespaceManager(SqlaNamespaceManager):
    """A namespace as a row of a table in the database of a URL.

    Args:
        namespace: The name.
        url: Such as SQLAlchemy takes, of its early versions too (`postgres://`).
        sa_opts: Options of the engine as `"sa.pool_recycle"` and so on; `"sa.url"` is the URL where
            `url` is not given. The engine is made at the first use of a URL.
        table_name: What the table is called.
        data_dir: Where the folder `container_db_lock` of the creation locks is.
        lock_dir: That folder instead.
        schema_name: The schema the table is in.
        params: `optimistic`, which has no meaning any more, and options of other kinds.

    Raises:
        MissingCacheParameter: There is no URL.
        InvalidCacheBackendError: SQLAlchemy or the driver is not installed, or the URL is wrong.
        StoreError: The table is not there and cannot be made.
    """

    def __init__(
        self,
        namespace: str,
        url: str | None = None,
        sa_opts: dict[str, Any] | None = None,
        table_name: str = "beaker_cache",
        data_dir: str | None = None,
        lock_dir: str | None = None,
        schema_name: str | None = None,
        **params: Any,  # noqa: ARG002 - as said above
    ) -> None:
        self._init_dependencies()
        options = dict(sa_opts or {})
        url = url or options.get("sa.url")
        if not url:
            raise MissingCacheParameter("url is required")
        options["sa.url"] = url = str(url)
        engine = self.binds.get(url, _engine, url, options)
        which = f"{url}{schema_name + '.' if schema_name else ''}{table_name}"
        table = self.tables.get(which, _made, engine, table_name, schema_name)
        super().__init__(namespace, engine, table, data_dir=data_dir, lock_dir=lock_dir)


def _engine(url: str, options: dict[str, Any]) -> "sa.Engine":
    from holdfast.store.sqlalchemy.old_urls import engine_of  # noqa: PLC0415 - where it is used

    try:
        return engine_of(url, options)
    except ConfigError as error:
        raise InvalidCacheBackendError(f"ext:database: {error}") from error


def _made(engine: "sa.Engine", name: str, schema: str | None) -> "sa.Table":
    """Return the table, which is in the database now."""
    import sqlalchemy as sa  # noqa: PLC0415 - the same

    from holdfast.store.sqlalchemy.plain import make_missing  # noqa: PLC0415 - the same

    table = sa.Table(
        name,
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("namespace", sa.String(255), nullable=False),
        *columns(),
        sa.UniqueConstraint("namespace"),
        schema=schema,
    )
    make_missing(engine, table)
    return table


class DatabaseContainer(Container):
    """Values in rows of a database's table."""

    namespace_manager = DatabaseNamespaceManager
