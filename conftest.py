"""What holds for every test.

It stands up here because mypy takes only one `conftest` below tests.
"""

from hypothesis import HealthCheck, settings

# A busy machine is not a fault; what must be quick is measured by `make bench`.
settings.register_profile("holdfast", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("holdfast")
