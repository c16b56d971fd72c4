"""The schema of typed sessions: their fields, what these start with, and how older ones become so.

Law: pure, but for the migrations and defaults of the application. What is stored is judged field by
field, so that one that is not what its type says costs only itself. A record's version is raised
when it is written, and never lowered: a process that does not know it leaves alone what it does not
know.
"""

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, NamedTuple

from holdfast.codec import Codec
from holdfast.codec.typed import Form, form_of
from holdfast.codec.typed.checks import Check, check_of
from holdfast.codec.typed.reader import fields_of_class
from holdfast.errors import CodecError, ConfigError
from holdfast.session.data import Record
from holdfast.session.operations import UNREADABLE

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)  # a bare `Session` is one without a schema
else:
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["Layout", "Migration", "Schema", "T", "layout_of"]

Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes the plain values of one version, by name, and returns those of the next."""

_LAST = 2**31
_FIELD = "schema"  # of a record, where its version stands; absent, it is 1


class Schema(Generic[T]):
    """What typed sessions hold, with a version.

    Args:
        kind: A dataclass, msgspec.Struct or pydantic model. `kind()` is what a new session holds.
        version: One more whenever what is stored changes its meaning.
        migrations: By version, what makes the values of the next one. Each gets and returns a dict
            of all that is stored, as the codec gives it: a dataclass is a dict of its fields, an
            enum its name. A migration may be called more than once for the same session.
    """

    def __init__(
        self, kind: type[T], *, version: int = 1, migrations: Mapping[int, Migration] | None = None
    ) -> None:
        self.kind = kind
        self.version = version
        self.migrations = dict(migrations or {})

    def __repr__(self) -> str:
        return f"<Schema {self.kind.__qualname__}, version {self.version}>"


class _Field(NamedTuple):
    """One field: what translates its values and what checks them."""

    form: Form | None
    check: Check


class Layout:
    """A schema as the drafts of one `Sessions` use it.

    Args:
        schema: What it is made from.
        codec: What writes each value.

    Attributes:
        fields: The names, in the order of the class.
        codec: As given.

    Raises:
        ConfigError: The class is none that can be used, or the migrations have a gap.
    """

    def __init__(self, schema: Schema[Any], codec: Codec) -> None:
        _check_versions(schema)
        self._schema = schema
        self._translates = not getattr(codec, "keeps_types", False)
        self.codec = codec
        self.fields = _fields_of(schema.kind)
        self._usual: frozenset[str] = frozenset()
        fresh = self.new()
        self._usual = frozenset(getattr(fresh, "__dict__", ())) | self.fields.keys()
        for name in self.fields:
            try:
                self.encode(name, getattr(fresh, name))
            except CodecError as error:
                raise ConfigError(
                    f"schema: the default of {self._place(name)}: {error.message}"
                ) from error
            except AttributeError as error:  # of a dataclass: field(init=False)
                raise ConfigError(f"schema: {self._place(name)} has no default") from error

    # Values

    def new(self) -> Any:
        """Return what a new session holds.

        Raises:
            ConfigError: It cannot be made without arguments.
        """
        try:
            return self._schema.kind()
        except Exception as error:
            kind = self._schema.kind.__qualname__
            raise ConfigError(
                f"schema: {kind}() is what a new session holds, so that each of its fields needs a "
                f"default: {error}"
            ) from error

    def misfit(self, name: str, value: object) -> str | None:
        """Return what is wrong with giving `name` this value; None: nothing."""
        field = self.fields.get(name)
        if field is None:
            return f"{name!r} is no field of {self._schema.kind.__qualname__}"
        wrong = field.check(value)
        return None if wrong is None else f"{self._place(name)}{wrong}"

    def encode(self, name: str, value: Any) -> bytes:
        """Return a field's value as bytes.

        Raises:
            CodecError: It is not of the field's type, or cannot be written; the error names it.
        """
        wrong = self.misfit(name, value)
        if wrong is not None:
            raise CodecError(wrong, name=name)
        try:
            return self.codec.encode(self._plain(name, value))
        except CodecError as error:
            raise error.under(name) from error

    def encode_item(self, name: str, item: object) -> bytes:
        """Return `item` as it stands in the list that a field holds.

        Raises:
            CodecError: It cannot be written.
            TypeError: It is of another type, or a list of this field cannot be added to blindly.
        """
        wrong = self.misfit(name, [item])
        if wrong is not None:
            raise TypeError(wrong)
        try:
            plain = self._plain(name, [item])
            if type(plain) is not list or len(plain) != 1:  # a union, whose lists are tagged
                raise TypeError(f"{self._place(name)} is not always a list of one kind")
            return self.codec.encode(plain[0])
        except CodecError as error:
            raise error.under(name) from error

    def decode(self, name: str, data: bytes) -> Any:
        """Return a field's value.

        Raises:
            CodecError: It is not of the field's type; `UNREADABLE` is all that can come.
        """
        value, form = self.codec.decode(data), self.fields[name].form
        if form is not None and self._translates:
            value = form.typed(value)
        wrong = self.fields[name].check(value)
        if wrong is not None:
            raise CodecError(f"{self._place(name)}{wrong}", name=name)
        return value

    def strangers(self, whole: Any) -> list[str]:
        """Return the attributes of an instance that are no fields and would be lost."""
        held = {*getattr(whole, "__dict__", ()), *(getattr(whole, _EXTRA, None) or ())}
        kind = self._schema.kind
        return sorted(
            name
            for name in held - self._usual
            if not isinstance(getattr(kind, name, None), functools.cached_property)
        )

    def _plain(self, name: str, value: object) -> object:
        form = self.fields[name].form
        return value if form is None or not self._translates else form.plain(value)

    def _place(self, name: str) -> str:
        return f"{self._schema.kind.__qualname__}.{name}"

    # Versions

    def upgraded(self, record: Record) -> Record:
        """Return `record` in this version; as it is if it has it, or a newer one.

        Values that no migration leads on from are as good as absent.
        """
        if self.version_of(record) >= self._schema.version:
            return record
        try:
            data = self.migrated(record)
        except Exception:  # noqa: BLE001 - told when it was read
            data = {}
        return record._replace(
            data=data, reserved={**record.reserved, _FIELD: self._schema.version}
        )

    def migrated(self, record: Record) -> dict[str, bytes]:
        """Return the values of a record in this version.

        Raises:
            Exception: Whatever a migration raises; `KeyError` if there is none from there.
        """
        version = self.version_of(record)
        if version >= self._schema.version or not record.data:
            return record.data
        values = dict(self._readable(record.data))
        for number in range(version, self._schema.version):
            values = self._schema.migrations[number](values)
        return {name: self.codec.encode(value) for name, value in values.items()}

    def version_of(self, record: Record) -> int:
        """Return the version a record was written in; 1 where it says none."""
        version = record.reserved.get(_FIELD, 1)
        return version if type(version) is int else 0

    def _readable(self, data: Mapping[str, bytes]) -> Any:
        for name, encoded in data.items():
            try:
                yield name, self.codec.decode(encoded)
            except UNREADABLE:
                continue


_EXTRA = "__pydantic_extra__"


def layout_of(schema: type[Any] | Schema[Any] | None, codec: Codec) -> Layout | None:
    """Return the layout of what `Sessions(schema=...)` was given."""
    if schema is None:
        return None
    return Layout(schema if isinstance(schema, Schema) else Schema(schema), codec)


def _fields_of(kind: Any) -> dict[str, _Field]:
    """Return the fields of a schema's class.

    Raises:
        ConfigError: It is none that can be used.
    """
    told = getattr(kind, "__qualname__", repr(kind))
    try:
        fields = fields_of_class(kind) if isinstance(kind, type) else None
    except Exception as error:
        raise ConfigError(f"schema: {told} cannot be read: {error}") from error
    if fields is None or issubclass(kind, tuple | dict):
        raise ConfigError(f"schema: {told} is no dataclass, msgspec.Struct or pydantic model")
    if _is_frozen(kind):
        raise ConfigError(f"schema: {told} is frozen: session.data could not be changed")
    return {
        name: _Field(form_of(one, where=f"{told}.{name}"), check_of(one))
        for name, one in fields.items()
    }


def _is_frozen(kind: Any) -> bool:
    config = getattr(kind, "model_config", None)
    if isinstance(config, dict):
        return bool(config.get("frozen"))
    told = getattr(kind, "__struct_config__", None) or getattr(kind, "__dataclass_params__", None)
    return bool(getattr(told, "frozen", False))


def _check_versions(schema: Schema[Any]) -> None:
    version, known = schema.version, schema.migrations
    if type(version) is not int or not 1 <= version < _LAST:
        raise ConfigError(f"version={version!r}: a whole number from 1 on")
    if any(type(number) is not int for number in known):
        raise ConfigError("migrations: by version, a whole number each")
    if sorted(known) != list(range(version - len(known), version)) or 0 in known:
        raise ConfigError(
            f"migrations: {sorted(known)} do not lead to version {version} without a gap"
        )
    if version > 1 and not known:
        raise ConfigError(
            f"version={version} needs migrations={{{version - 1}: ...}}; `lambda values: {{}}` "
            "starts over"
        )
