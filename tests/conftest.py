"""Settings of all tests."""

import os

from hypothesis import settings

# Machines are shared, so no example has a deadline; in CI the examples are the same in every run.
settings.register_profile("zkmargin", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("zkmargin")
