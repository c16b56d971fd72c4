"""`beaker.ext.sqla`: namespaces as rows of a table, through an engine the program has.

Law: the columns are those of the original. Who selects `data` himself gets the dictionary, read as
everything of the past: by the allow-list.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.compat.beaker.container import Container
from holdfast.compat.beaker.drivers import need
from holdfast.compat.beaker.one_row import OneRow
from holdfast.compat.beaker.synchronization import file_synchronizer
from holdfast.compat.beaker.util import SyncDict, verify_directory
from holdfast.compat.settings import tell
from holdfast.compat.values import decode, encode
from holdfast.errors import CodecError

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["SqlaContainer", "SqlaNamespaceManager", "make_cache_table"]


class SqlaNamespaceManager(OneRow):
    """A namespace as a row of a table.

    Args:
        namespace: The name.
        bind: An `Engine`; or a `Connection`, in whose transaction it reads and writes.
        table: Such as `make_cache_table` returns; the program makes it in the database.
        data_dir: Where the folder `container_db_lock` of the creation locks is.
        lock_dir: That folder instead; without both it is the system's for temporary files.
        kwargs: Options of other kinds, which say nothing here.

    Attributes:
        bind: As given.
        table: As given.
        binds: The engine of each URL that `ext:database` was given.
        tables: The same of tables.

    Raises:
        InvalidCacheBackendError: SQLAlchemy is not installed.
    """

    binds: ClassVar[SyncDict] = SyncDict()
    tables: ClassVar[SyncDict] = SyncDict()

    @classmethod
    def _init_dependencies(cls) -> None:
        kind = "ext:sqla or ext:database"
        need("sqlalchemy", kind, "sqlalchemy", since="QueuePool")
        need("sqlalchemy.ext.asyncio", kind, "sqlalchemy")  # needs greenlet, as the store does

    def __init__(
        self,
        namespace: str,
        bind: Any,
        table: Any,
        data_dir: str | None = None,
        lock_dir: str | None = None,
        **kwargs: Any,  # noqa: ARG002 - as said above
    ) -> None:
        super().__init__(namespace)
        from holdfast.store.sqlalchemy.plain import PlainTable  # noqa: PLC0415 - the same

        self.lock_dir = lock_dir or (f"{data_dir}/container_db_lock" if data_dir else None)
        if self.lock_dir:
            verify_directory(self.lock_dir)
        self.bind, self.table = bind, table
        self._plain = PlainTable(bind, table)

    def get_creation_lock(self, key: Any) -> Any:  # noqa: ARG002 - one for all keys, as ever
        return file_synchronizer(
            identifier=f"databasecontainer/funclock/{self.namespace}", lock_dir=self.lock_dir
        )


class SqlaContainer(Container):
    """Values in rows of a table."""

    namespace_manager = SqlaNamespaceManager


def make_cache_table(
    metadata: Any, table_name: str = "beaker_cache", schema_name: str | None = None
) -> "sa.Table":
    """Return a table for the managers here; the program makes it in the database.

    Args:
        metadata: The `MetaData` it belongs to.
        table_name: What it is called.
        schema_name: The schema it is in; None: that of `metadata`.
    """
    SqlaNamespaceManager._init_dependencies()  # noqa: SLF001 - of this file
    import sqlalchemy as sa  # noqa: PLC0415 - the same

    return sa.Table(
        table_name,
        metadata,
        sa.Column("namespace", sa.String(255), primary_key=True),
        *columns(),
        schema=schema_name or metadata.schema,
    )


def columns() -> list[Any]:
    """Return the columns that the tables of `ext:sqla` and `ext:database` share."""
    import sqlalchemy as sa  # noqa: PLC0415 - the same

    return [
        sa.Column("accessed", sa.DateTime, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("data", _data_type(), nullable=False),
    ]


@cache
def _data_type() -> Any:
    """Return the type of the column `data`, for who selects or inserts it himself."""
    import sqlalchemy as sa  # noqa: PLC0415 - the same

    from holdfast.store.sqlalchemy.plain import BYTES  # noqa: PLC0415 - the same

    class Data(sa.TypeDecorator[Any]):
        """Bytes in the database, what they mean here; None where they cannot be read."""

        impl = BYTES
        cache_ok = True

        def process_bind_param(self, value: Any, _dialect: Any) -> Any:
            return encode(value, name="data")

        def process_result_value(self, value: Any, _dialect: Any) -> Any:
            try:
                return None if value is None else decode(bytes(value))
            except CodecError as error:
                tell(str(error), "column data")
                return None

    return Data
