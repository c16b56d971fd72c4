"""pserve and one .ini file: by the genuine libraries, by ours in each way, and back; over HTTP."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from compat.seeds import seeds_python
from servers.process import Server, free_port
from servers.redis import RedisServer

PROGRAMS = Path(__file__).parent / "programs"
PSERVE = ["-m", "pyramid.scripts.pserve"]
OLD_FORM = {"HOLDFAST_COMPAT_OLD_FORM": "1"}

pytestmark = [pytest.mark.server, pytest.mark.slow]


@contextmanager
def served(
    ini: str, command: list[str], values: dict[str, object], environ: dict[str, str]
) -> Iterator[str]:
    """Run a command on an .ini file with these values in it; return where it serves."""
    data, port = Path(str(values["data"])), free_port()
    given = [f"{name}={value}" for name, value in {"module": "pyramid_shop", **values}.items()]
    server = Server(
        [*command, str(PROGRAMS / ini), f"port={port}", *given],
        port,
        log=data / "log",
        env={"PYTHONPATH": str(PROGRAMS), **environ},
    )
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()


class Browser:
    """A visitor whose cookies outlive the processes that serve him."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}

    def get(self, place: str, *paths: str) -> list[str]:
        """Visit pages, and those they send to; return what they say."""
        said = []
        with httpx.Client(base_url=place, follow_redirects=True) as client:
            for name, value in self.cookies.items():
                client.cookies.set(name, value, domain="127.0.0.1")
            for path in paths:
                answer = client.get(path)
                assert answer.status_code == 200, (path, answer.text)
                said.append(answer.text)
            self.cookies = {c.name: str(c.value) for c in client.cookies.jar}
        return said


def test_beaker_ini_by_the_genuine_libraries_by_ours_and_back(tmp_path: Path) -> None:
    seeds, here, ada = seeds_python(), sys.executable, Browser()
    pserve = str(Path(here).parent / "pserve")

    def visit(
        command: list[str], *paths: str, module: str = "pyramid_shop", **environ: str
    ) -> list[str]:
        values: dict[str, object] = {"data": tmp_path, "module": module}
        with served("beaker.ini", command, values, environ) as place:
            return ada.get(place, "/by", *paths)

    genuine = '["pyramid_beaker", "beaker.session"]'
    both = '["holdfast.compat.pyramid_beaker", "holdfast.compat.beaker.session"]'
    beaker = '["pyramid_beaker", "holdfast.compat.beaker.session"]'
    assert visit([seeds, *PSERVE], "/login?name=ada", "/buy?what=tea", "/news?topic=a") == [
        genuine, "ada, visit 1, [], ['welcome']", "bought", "a: made",
    ]  # fmt: skip
    command = [here, "-m", "holdfast.compat", "--old-form", "beaker,pyramid_beaker", "--", pserve]
    assert visit(command, "/", "/buy?what=milk", "/news?topic=a", "/news?topic=b") == [
        both, "ada, visit 2, ['tea'], []", "bought", "a: kept", "b: made",
    ]  # fmt: skip
    assert visit([seeds, *PSERVE], "/", "/news?topic=b", "/news?topic=c") == [
        genuine, "ada, visit 3, ['tea', 'milk'], []", "b: kept", "c: made",
    ]  # fmt: skip
    assert visit([seeds, *PSERVE], "/", "/news?topic=c", HOLDFAST_COMPAT="beaker", **OLD_FORM) == [
        beaker, "ada, visit 4, ['tea', 'milk'], []", "c: kept",
    ]  # fmt: skip
    names = {"HOLDFAST_COMPAT": "beaker,pyramid_beaker"}
    assert visit([seeds, *PSERVE], "/", "/news?topic=d", **names) == [
        both, "ada, visit 5, ['tea', 'milk'], []", "d: made",
    ]  # fmt: skip
    by_lines = visit([here, *PSERVE], "/", "/news?topic=d", "/logout", module="pyramid_shop_lines")
    assert by_lines == [
        both, "ada, visit 6, ['tea', 'milk'], []", "d: kept", "nobody, visit 1, [], []",
    ]  # fmt: skip


def test_kvs_ini_by_the_genuine_library_by_ours_and_back(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    seeds, here, ada = seeds_python(), sys.executable, Browser()
    values: dict[str, object] = {"data": tmp_path, "redis": redis_server.port}

    def visit(command: list[str], *paths: str, **environ: str) -> list[str]:
        with served("kvs.ini", command, values, environ) as place:
            return ada.get(place, "/by", *paths)

    genuine, ours = '["pyramid_kvs"]', '["holdfast.compat.pyramid_kvs"]'
    names = {"HOLDFAST_COMPAT": "pyramid_kvs"}
    assert visit([seeds, *PSERVE], "/login?name=ada", "/buy?what=tea", "/news?topic=a") == [
        genuine, "ada, visit 1, [], ['welcome']", "bought", "a: made",
    ]  # fmt: skip
    assert visit([here, *PSERVE], "/", "/news?topic=a", "/news?topic=b", **names, **OLD_FORM) == [
        ours, "ada, visit 2, ['tea'], []", "a: kept", "b: made",
    ]  # fmt: skip
    assert visit([seeds, *PSERVE], "/", "/news?topic=b") == [
        genuine, "ada, visit 3, ['tea'], []", "b: kept",
    ]  # fmt: skip
    assert visit([seeds, *PSERVE], "/", "/news?topic=b", "/logout", **names) == [
        ours, "ada, visit 4, ['tea'], []", "b: kept", "nobody, visit 1, [], []",
    ]  # fmt: skip
