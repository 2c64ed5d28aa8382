"""What the run with Keylime stands on: nothing is left behind, and what cannot be run is said to be."""
import os
import pathlib
import socket
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "keylime"))
import one_machine  # noqa: E402

PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
import one_machine
keeper = one_machine.Keeper()
process = one_machine.Process(keeper, ["/bin/sh", "-c", "trap '' TERM; sleep 1000 & echo $!; wait"], sys.argv[2])
process.wait_until(lambda: process.text().strip(), "child")
print(process.text().strip(), keeper.folder, flush=True)
time.sleep(1000)
"""


def gone(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_processes_end_with_the_process_that_started_them_however_it_ends(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", PROGRAM, ROOT / "keylime", tmp_path / "log"],
                              stdout=subprocess.PIPE, text=True)
    grandchild, folder = parent.stdout.readline().split()
    assert not gone(grandchild) and os.path.isdir(folder)
    parent.kill()
    parent.wait()
    end = time.monotonic() + 60
    while not (gone(grandchild) and not os.path.exists(folder)) and time.monotonic() < end:
        time.sleep(0.1)
    assert gone(grandchild) and not os.path.exists(folder)


def test_a_program_that_does_not_start_leaves_its_words_and_nothing_else(tmp_path):
    keeper = one_machine.Keeper()
    with pytest.raises(RuntimeError, match="(?s)no port.*I cannot"):
        one_machine.Process(keeper, ["/bin/sh", "-c", "sleep 1000 & echo $! >pid; echo I cannot; exit 1"],
                            tmp_path / "log", port=one_machine.free_ports().agent, cwd=tmp_path)
    assert gone(int((tmp_path / "pid").read_text()))
    keeper.close()


def test_a_port_in_use_is_said_to_be(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        with pytest.raises(RuntimeError, match="somebody listens on port"):
            one_machine.Process(None, ["/bin/true"], tmp_path / "log", port=other.getsockname()[1])


def test_without_a_package_index_the_tests_are_skipped_and_say_why(tmp_path):
    env = {**os.environ, "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_CONFIG_FILE": os.devnull, "CVTPM": "/bin/false",
           "KEYLIME": str(tmp_path / "keylime"), "PIP_NO_CACHE_DIR": "1"}
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        env.pop(name, None)
    result = subprocess.run([sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider",
                             ROOT / "tests" / "keylime" / "e2e"], env=env, capture_output=True, text=True, timeout=600)
    last = result.stdout.strip().splitlines()[-1]
    assert result.returncode == 0 and " skipped" in last and "passed" not in last and "failed" not in last, result.stdout
    assert "the Python package index cannot be reached" in result.stdout
