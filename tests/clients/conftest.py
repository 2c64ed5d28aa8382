"""What the tests with independent client stacks share: a TPM of its own for each test.

The engine is the native one unless CVTPM_TEST_ENGINE names another.
"""
import os
import pathlib
import sys

import pytest

os.environ.setdefault("CVTPM_TEST_ENGINE", "native")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cvtpm_test import Server  # noqa: E402


@pytest.fixture
def server():
    with Server("--mssim", "127.0.0.1:0", "--startup", "clear", "--ek", "p256") as s:
        yield s
        assert s.stop() == 0, s.stderr
