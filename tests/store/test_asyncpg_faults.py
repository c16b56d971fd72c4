"""PostgreSQL under the same faults, with asyncpg in event loops."""

import pytest
from test_postgresql_faults import TestPostgresqlFaults as _Base

pytestmark = [pytest.mark.server, pytest.mark.slow]


class TestAsyncpgFaults(_Base):
    """asyncpg; threads have psycopg, which has its own file."""

    driver = "asyncpg"

    @pytest.fixture(params=["aio"])
    def kind(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)
