"""Values of the old libraries as bytes: both forms, and what is refused."""

import datetime as dt
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest

from compat.cart import Cart
from holdfast.compat import settings, values
from holdfast.errors import CodecError, ConfigError


class Touch:
    """Leaves a file when it is unpickled by whoever believes it."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("was-run"),)


PLAIN = {"user": "zoë", "when": dt.datetime(2018, 6, 4, tzinfo=dt.UTC), "n": (1, {2}, b"\xff")}
ALLOWED = f"{Cart.__module__}.Cart"


def test_what_is_written_is_no_pickle() -> None:
    data = values.encode(PLAIN)
    assert data.startswith(values.MARK)
    assert values.decode(data) == PLAIN
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(data)  # noqa: S301 - our own


def test_the_old_form_is_what_the_old_libraries_read() -> None:
    settings.configure(old_form=True)
    for protocol in (None, 2):
        data = values.encode(PLAIN, protocol=protocol)
        assert data == pickle.dumps(PLAIN, protocol)
        assert values.decode(data) == PLAIN


def test_each_form_is_read_whatever_is_written() -> None:
    safe = values.encode(PLAIN)
    old = pickle.dumps(PLAIN)
    for old_form in (False, True):
        settings.configure(old_form=old_form)
        assert values.decode(safe) == values.decode(old) == PLAIN


def test_what_msgpack_has_not_is_a_pickle_of_the_list() -> None:
    value = {"a": OrderedDict(x=1), "b": [1 + 2j]}
    data = values.encode(value)
    assert not data.startswith(values.MARK)
    read = values.decode(data)
    assert read == value
    assert isinstance(read, dict)
    assert type(read["a"]) is OrderedDict


@pytest.mark.parametrize("old_form", [False, True], ids=["safe form", "old form"])
def test_a_class_of_the_application_names_key_class_and_setting(*, old_form: bool) -> None:
    settings.configure(old_form=old_form)
    with pytest.raises(CodecError) as caught:
        values.encode({"plain": 1, "cart": {"now": [Cart("tea")]}})
    assert str(caught.value).startswith(f"'cart.now': is a {ALLOWED}, which is no plain data")
    assert f"holdfast.compat.install(..., allow=['{ALLOWED}'])" in str(caught.value)
    with pytest.raises(CodecError, match=r"^'basket': is a "):
        values.encode(Cart(), name="basket")


@pytest.mark.parametrize("old_form", [False, True], ids=["safe form", "old form"])
def test_the_setting_lets_it_be_written_and_read(*, old_form: bool) -> None:
    settings.configure(allow=[ALLOWED], old_form=old_form)
    data = values.encode({"cart": Cart("tea")})
    assert values.decode(data) == {"cart": Cart("tea")}
    settings.configure()
    with pytest.raises(CodecError, match=rf"asks for {ALLOWED}, which is not allowed"):
        values.decode(data)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00HF1", b"\x00HF1\xc1", b"{}", b"garbage"])
def test_bytes_that_are_neither_are_a_codec_error(data: bytes) -> None:
    with pytest.raises(CodecError):
        values.decode(data)


def test_a_pickle_that_would_run_something_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CodecError, match="asks for"):
        values.decode(pickle.dumps(Touch()))
    with pytest.raises(CodecError):
        values.encode({"x": Touch()})
    assert not Path("was-run").exists()


def test_any_pickle_is_believed_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.warns(settings.CompatWarning, match="can run code in this process"):
        settings.configure(unsafe=["any-pickle"])
    assert values.decode(values.encode({"cart": Cart("tea")})) == {"cart": Cart("tea")}
    values.decode(pickle.dumps(Touch()))
    assert Path("was-run").exists()
    with pytest.raises(CodecError, match="not a pickle"):
        values.decode(b"garbage")


def test_what_cannot_be_pickled_either_is_an_error() -> None:
    for old_form in (False, True):
        settings.configure(old_form=old_form)
        with pytest.raises(CodecError):
            values.encode({"f": lambda: None})


def test_wrong_settings_say_the_fix() -> None:
    with pytest.raises(ConfigError, match=r"unsafe='all': choose from any-pickle, flush"):
        settings.configure(unsafe=["all"])
    with pytest.raises(ConfigError, match=r"allow='Cart': write 'module.Class'"):
        settings.configure(allow=["Cart"])
    assert settings.current() == settings.Settings()


def test_what_is_refused_is_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    settings.tell("no pickle", "file x")
    settings.tell("no pickle", "file y")
    assert settings.refused == {"no pickle": 2}
    assert "file y: no pickle" in caplog.text


def test_the_log_has_no_id_that_opens_a_session(caplog: pytest.LogCaptureFixture) -> None:
    for made in ("7c9e6679f4ab4c2d9d6f1e2a3b4c5d6e", "0" * 40):
        settings.tell(f"'{made}': no pickle", f"/data/container_file/7/7c/{made}.cache: 'session'")
        assert made not in caplog.text
        assert f"{made[:6]}....cache: 'session': '{made[:6]}...': no pickle" in caplog.text
        assert not any(made in reason for reason in settings.refused)
