"""What importing the package settles."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("own", "turns"), [(None, "10000"), ("7", "7")])
def test_threads_that_wait_let_others_have_the_core_unless_the_user_says_otherwise(own, turns):
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    code = "import ecgtune, os, sys; print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=environment if own is None else environment | {"GOMP_SPINCOUNT": own},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == [turns, "False"]
