"""What holds for every test, and the servers that tests can ask for (`tests/servers/`).

It stands up here because mypy takes only one `conftest` below tests.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is not a fault; what must be quick is measured by `make bench`.
settings.register_profile("holdfast", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("holdfast")

# Each module there has the fixtures of one kind of server; drivers are imported inside them.
# All are rewritten, whatever imports them first: the servers, and what tests of stores share.
pytest.register_assert_rewrite(
    "servers", "face", "fault_base", "fault_network", "fault_suite", "insides"
)
SERVERS = Path(__file__).parent / "tests" / "servers"
pytest_plugins = [f"servers.{path.stem}" for path in sorted(SERVERS.glob("[!_]*.py"))]
pytest_plugins += ["compat.tidy", "compat.places"]
