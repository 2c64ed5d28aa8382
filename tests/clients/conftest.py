"""What the tests with independent client stacks share: a TPM of its own for each test, and tpm2-tools on it.

The engine is the native one unless CVTPM_TEST_ENGINE names another.
"""
import contextlib
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import pytest

os.environ.setdefault("CVTPM_TEST_ENGINE", "native")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cvtpm_test import LIMIT, Server, tpm2  # noqa: E402


@contextlib.contextmanager
def running(*options):
    with Server("--mssim", "127.0.0.1:0", "--startup", "clear", "--ek", "p256", *options) as s:
        yield s
        assert s.stop() == 0, s.stderr


@pytest.fixture
def server():
    with running() as s:
        yield s


class Tools:
    """Runs tpm2-tools in a folder: tools("createprimary -Q -C o -c primary")."""

    def __init__(self, server, folder, tcti=None):
        self.server, self.folder, self.tcti = server, folder, tcti or server.tcti()

    def __call__(self, line, fails=None):
        """What the tool prints. `fails` is in the complaint of one that must fail."""
        tool, *arguments = shlex.split(line)
        done = tpm2(tool, *arguments, tcti=self.tcti, check=fails is None, cwd=self.folder)
        if fails is not None:
            assert done.returncode != 0 and fails in done.stderr, f"{line}: exit {done.returncode}, {done.stderr}"
        return done.stdout

    def assertion(self, session, assertion, options="", fails=None):
        """Makes an assertion in a session: tools.assertion(session, "policypcr -l sha256:7")."""
        tool, _, arguments = assertion.partition(" ")
        self(f"{tool} -Q -S {session} {options} {arguments}", fails)

    @contextlib.contextmanager
    def session(self, *assertions, kind="--policy-session", name="session"):
        """A session in which these hold: with tools.session("policypcr -l sha256:7") as s."""
        self(f"startauthsession -Q {kind} -S {name}")
        try:
            for assertion in assertions:
                self.assertion(name, assertion)
            yield name
        finally:
            self(f"flushcontext {name}")

    def policy(self, *assertions, file="policy", options=""):
        """The digest of a policy, in a file: tools.policy("policypcr -l sha256:7")."""
        with self.session(kind=options, name="trial") as trial:
            for assertion in assertions:
                self.assertion(trial, assertion, f"-L {file}")

    def write(self, name, data):
        (self.folder / name).write_bytes(data)
        return name

    def read(self, name):
        return (self.folder / name).read_bytes()

    def openssl(self, line, fails=False):
        """Runs openssl, which knows nothing of the TPM, in the same folder; what it prints."""
        done = subprocess.run(["openssl", *shlex.split(line)], cwd=self.folder, capture_output=True, timeout=LIMIT)
        assert (done.returncode != 0) == fails, f"openssl {line}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def direct(tmp_path):
    """Without a resource manager: what a tool leaves loaded is flushed when it disconnects."""
    with running("--flush-on-disconnect") as s:
        yield Tools(s, tmp_path)


@pytest.fixture
def managed(server, tmp_path, monkeypatch):
    """Through tpm2-abrmd on a D-Bus of the test's own; nothing of the machine's is touched."""
    for program in ("tpm2-abrmd", "dbus-daemon"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed (make deps-clients)")
    bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address"], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True)
    log = open(tmp_path / "abrmd.log", "w+")
    manager = None
    try:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.stdout.readline().strip())
        options = ["--session", f"--tcti={server.tcti()}"] + (["--allow-root"] if os.getuid() == 0 else [])
        manager = subprocess.Popen(["tpm2-abrmd", *options], stdout=log, stderr=log)
        ready = ["gdbus", "wait", "--session", "--timeout", str(LIMIT), "com.intel.tss2.Tabrmd"]
        subprocess.run(ready, check=True, timeout=2 * LIMIT)
        yield Tools(server, tmp_path, "tabrmd:bus_type=session")
        manager.terminate()
        assert manager.wait(LIMIT) == 0, (tmp_path / "abrmd.log").read_text()
    finally:
        for process in (manager, bus):
            if process and process.poll() is None:
                process.kill()
            if process:
                process.wait()
        bus.stdout.close()
        log.close()


@pytest.fixture(params=["direct", "managed"])
def tools(request):
    """Both ways, one after the other."""
    return request.getfixturevalue(request.param)
