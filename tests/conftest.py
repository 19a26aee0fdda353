"""What all tests share."""

import os

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("tts_book.backends.contract")

# At a desk properties look for news each time; a check of a change shall depend on the change.
settings.register_profile("check", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("check")
