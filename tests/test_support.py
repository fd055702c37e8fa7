"""Test support: limits that fit the machine, and groups of tests that share a server."""

import os
import re
import subprocess
import sys

import pytest

from support.server import TESTS

SHARING = "tests/http/test_accept_header.py"
CHILD = "from support.machine import slowness; print(len(slowness().ratios), slowness().factor >= 1)"


def run(*command: str, **env: str) -> str:
    """Run the tests' Python with these arguments; fail if it does. Return its output."""
    own = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=TESTS.parent,
        env=own | {"PYTHONPATH": str(TESTS)} | env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize(
    ("processes", "limits"),
    [(1, "6.0 3.0"), (3 * len(os.sched_getaffinity(0)), "18.0 3.0")],
    ids=["one", "crowd"],
)
def test_limits_are_multiplied(processes: int, limits: str) -> None:
    """On a slow machine limits and timeouts grow; when processes share cores, only limits do."""
    code = "from support.machine import *; print(limit_s(2), timeout_s(1))"
    env = {"TEST_MACHINE_SLOWNESS": "3", "PYTEST_XDIST_WORKER_COUNT": str(processes)}
    assert run("-c", code, **env) == f"{limits}\n"


def test_machine_is_measured_once() -> None:
    """Child processes use the measurement of their parent."""
    code = (
        "import subprocess, sys\n"
        "from support.machine import slowness\n"
        "print(len(slowness().ratios), slowness().factor >= 1, flush=True)\n"
        f"subprocess.run([sys.executable, '-c', {CHILD!r}], check=True)\n"
    )
    assert run("-c", code, TEST_MACHINE_SLOWNESS="") == "3 True\n0 True\n"


@pytest.mark.slow
def test_tests_that_share_a_server_run_in_one_process() -> None:
    shown = run("-m", "pytest", "--numprocesses", "2", "--dist", "loadgroup", "--verbose", SHARING)
    processes = re.findall(r"^\[(gw\d)\].* PASSED", shown, re.MULTILINE)
    assert len(processes) > 10
    assert len(set(processes)) == 1
