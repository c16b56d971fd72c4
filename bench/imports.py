"""Table `import`: how long importing takes, and what comes with it.

Law: each import runs in a process of its own, libraries in turns; what is told is the time inside
the process, the start of the interpreter excluded, byte code there.
"""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

from bench.measure import NOT_INSTALLED, Effort
from bench.report import Row, Table
from bench.targets import IMPORT_OPTIONAL, IMPORT_TIME

OURS = "import holdfast"
PUBLIC = "from holdfast import Cache, Sessions, Limiter, Cookie, open_store"
WEB = "from holdfast.web.wsgi import SessionMiddleware"
LINES = (
    "import beaker.cache, beaker.middleware",
    "import dogpile.cache",
    "import cashews",
    "import aiocache",
    "import cachetools",
    "import cachebox",
    "import theine",
    "import limits",
    "import starsessions",
    "import diskcache",
    OURS,
    PUBLIC,
    WEB,
)
OPTIONAL = frozenset({
    "cryptography", "typer", "click", "rich", "starlette", "uvicorn", "redis", "valkey", "msgspec",
    "sqlalchemy", "pymongo", "pymemcache", "emcache", "pydantic", "flask", "django", "pyramid",
    "tornado", "aiohttp", "boto3", "prometheus_client", "opentelemetry",
})  # fmt: skip
_CODE = """\
import json, sys, time
line = input()
before = set(sys.modules)
began = time.perf_counter_ns()
try:
    exec(line)
except ImportError:
    print("null")
else:
    took = time.perf_counter_ns() - began
    came = {name.partition(".")[0] for name in set(sys.modules) - before}
    print(json.dumps([took, sorted(came)]))
"""


def run(effort: Effort) -> Table:
    """Import everything in turns."""
    taken: dict[str, list[float]] = {line: [] for line in LINES}
    came: dict[str, frozenset[str]] = {}
    for _ in range(min(9, effort.rounds)):
        for line in LINES:
            if told := _in_a_process(line):
                taken[line].append(told[0] / 1e6)
                came[line] = frozenset(told[1])
    table = Table("import", "import time", "ms", ["ms", "optional dependencies of ours"])
    for line in LINES:
        ours = "holdfast" in line
        row = Row(line, {"ms": NOT_INSTALLED}, ours=ours)
        if taken[line]:
            row.cells["ms"] = median(taken[line])
        if ours and line in came:
            row.cells[table.columns[1]] = ", ".join(sorted(came[line] & OPTIONAL)) or "none"
        table.rows.append(row)
    table.verdicts.append(IMPORT_TIME.judge(median(taken[OURS])))
    table.verdicts += [IMPORT_OPTIONAL.judge(len(came[x] & OPTIONAL), x) for x in (OURS, PUBLIC)]
    return table


def _in_a_process(line: str) -> tuple[float, list[str]] | None:
    """Return nanoseconds and the packages that came, or None where it is not installed."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", _CODE],
        input=line,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    told = json.loads(done.stdout)
    return None if told is None else (told[0], told[1])
