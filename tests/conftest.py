"""What all tests share."""

import os

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tts_book.backends.contract")

# A slow machine is no failure: neither of an example nor of making one.
settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("desk")
# At a desk properties look for news each time; a check of a change shall depend on the change.
settings.register_profile("check", settings.get_profile("desk"), derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("check")
