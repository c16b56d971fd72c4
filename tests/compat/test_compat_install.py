"""Import names: what resolves to what, and what is said when it cannot."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compat.seeds import seeds_python
from holdfast.compat import install
from holdfast.errors import ConfigError

SOURCE = Path(__file__).parents[2] / "src"


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own interpreters
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environ},
    )


def python(code: str, **environ: str) -> str:
    done = run(sys.executable, "-W", "error", "-c", code, **environ)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_name_and_its_module_here_are_one() -> None:
    said = python(
        "import json, holdfast.compat; holdfast.compat.install('beaker')\n"
        "import beaker.util, beaker.exceptions, holdfast.compat.beaker.util as here\n"
        "from beaker.exceptions import BeakerException\n"
        "from holdfast.compat.beaker.exceptions import BeakerException as Ours\n"
        "print(json.dumps([beaker.util is here, BeakerException is Ours, here.__spec__.name,"
        " here.__name__, beaker.__version__]))"
    )
    one, same, spec, name, version = json.loads(said)
    assert (one, same) == (True, True)
    assert spec == name == "holdfast.compat.beaker.util"
    assert version


@pytest.mark.parametrize(
    "name", ["beaker", "pycket.session", "pyramid_beaker", "pyramid_kvs", "pytyrant"]
)
def test_every_name_resolves(name: str) -> None:
    top = name.partition(".")[0]
    code = f"import holdfast.compat as c; c.install({top!r}); import {name} as m; print(m.__name__)"
    done = run(sys.executable, "-c", code)
    assert done.stdout.strip() == f"holdfast.compat.{name}", done.stderr


def test_pyramid_beaker_brings_beaker() -> None:
    code = (
        "import holdfast.compat as c; c.install('pyramid_beaker')\n"
        "import beaker.util; print(beaker.util.__name__)"
    )
    done = run(seeds_python(), "-c", code, PYTHONPATH=str(SOURCE))
    assert done.stdout.strip() == "holdfast.compat.beaker.util", done.stderr


def test_importing_compat_changes_nothing() -> None:
    assert python("import sys, holdfast.compat; print(len(sys.meta_path))") == python(
        "import sys; print(len(sys.meta_path))"
    )


def test_a_module_that_beaker_has_not_is_not_found() -> None:
    code = (
        "import holdfast.compat; holdfast.compat.install('beaker')\n"
        "try:\n    import beaker.nothing\nexcept ModuleNotFoundError as error: print(error.name)"
    )
    assert python(code) == "beaker.nothing"


def test_an_unknown_library_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"'beeker'.*choose beaker, pycket"):
        install("beeker")


def test_a_library_that_was_imported_before_is_an_error_that_says_the_fix() -> None:
    code = (
        "import beaker, holdfast.compat\n"
        "try:\n    holdfast.compat.install('beaker')\n"
        "except holdfast.errors.ConfigError as error: print(error)"
    )
    done = run(seeds_python(), "-c", code, PYTHONPATH=str(SOURCE))
    assert "beaker was imported before holdfast.compat.install('beaker')" in done.stdout
    assert "python -m holdfast.compat beaker -- COMMAND" in done.stdout


def test_the_genuine_library_may_be_installed_beside() -> None:
    code = (
        "import holdfast.compat; holdfast.compat.install('beaker')\n"
        "import beaker.util; print(beaker.util.__name__)"
    )
    done = run(seeds_python(), "-c", code, PYTHONPATH=str(SOURCE))
    assert done.stdout.strip() == "holdfast.compat.beaker.util", done.stderr


def test_settings_that_are_not_given_stay() -> None:
    said = python(
        "import holdfast.compat as c, holdfast.compat.settings as s\n"
        "c.install('beaker', allow=['shop.Cart'], old_form=True)\n"
        "c.install('pycket')\n"
        "print(sorted(s.current().allow), s.current().old_form)"
    )
    assert said == "['shop.Cart'] True"


def test_the_environment_installs_before_a_program_begins() -> None:
    said = python(
        "import beaker.util, holdfast.compat.settings as s\n"
        "print(beaker.util.__name__, sorted(s.current().allow), s.current().old_form)",
        HOLDFAST_COMPAT="beaker, pycket",
        HOLDFAST_COMPAT_ALLOW="shop.Cart,shop.Item",
        HOLDFAST_COMPAT_OLD_FORM="1",
    )
    assert said == "holdfast.compat.beaker.util ['shop.Cart', 'shop.Item'] True"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HOLDFAST_COMPAT", "beeker", "no library 'beeker'"),
        ("HOLDFAST_COMPAT_OLD_FORM", "maybe", "write 1 or 0"),
        ("HOLDFAST_COMPAT_UNSAFE", "all", "choose from any-pickle"),
        ("HOLDFAST_COMPAT_ALLOW", "Cart", "write 'module.Class'"),
    ],
)
def test_a_wrong_environment_ends_the_program(variable: str, value: str, said: str) -> None:
    environ = {"HOLDFAST_COMPAT": "beaker", variable: value}
    done = run(sys.executable, "-c", "print('ran')", **environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_runs_with_the_names_installed_and_so_do_its_children() -> None:
    inner = "import beaker.util as u; print(u.__name__)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)"
    command = [sys.executable, "-c", code]
    done = run(sys.executable, "-m", "holdfast.compat", "beaker,pycket", "--", *command)
    assert done.stdout.strip() == "holdfast.compat.beaker.util", done.stderr


def test_the_command_is_the_one_beside_this_python() -> None:
    command = ["python", "-c", "import sys; print(sys.prefix)"]
    done = run(
        sys.executable, "-m", "holdfast.compat", "beaker", "--", *command, PATH="/usr/bin:/bin"
    )
    assert done.stdout.strip() == sys.prefix, done.stderr


def test_the_exit_status_of_the_command_is_its_own() -> None:
    command = [sys.executable, "-c", "raise SystemExit(7)"]
    assert run(sys.executable, "-m", "holdfast.compat", "beaker", "--", *command).returncode == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["beaker"], "write `--` and the command"),
        (["beaker", "--"], "write `--` and the command"),
        (["beeker", "--", "true"], "no library 'beeker'"),
        (["beaker", "--", "no-such-command"], "no-such-command: no such command"),
        (["--unsafe", "all", "beaker", "--", "true"], "invalid choice"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(arguments: list[str], said: str) -> None:
    done = run(sys.executable, "-m", "holdfast.compat", *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_unsafe_settings_warn() -> None:
    code = (
        "import warnings, holdfast.compat as c\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    warnings.simplefilter('always'); c.install('beaker', unsafe=['flush'])\n"
        "print(seen[0].category.__name__, seen[0].message)"
    )
    said = python(code)
    assert said.startswith("CompatWarning holdfast.compat: flush: clearing one memcached")
