"""One Keylime and one machine for all tests of this folder, in the order of the files' numbers.

Not a fake in it: registrar, verifier and tenant are keylime 7.14.3, the agent is keylime 6.6.0 (or the Rust agent
that KEYLIME_AGENT names), the script is `cvtpm verify --keylime`. Where the package index cannot be reached, the
tests are skipped and say so.

KEYLIME         the folder of keylime/setup, which is run first
KEYLIME_WORK    a folder for logs and databases that is kept
KEYLIME_SCRIPT  another script in place of ours: with /usr/bin/true, refusals by the script have to fail
"""
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "keylime"), str(ROOT / "tests" / "verify"), str(pathlib.Path(__file__).resolve().parent)]
import one_machine  # noqa: E402
from watch import database, row  # noqa: E402


@pytest.fixture(scope="session")
def keylime():
    folder = os.environ.get("KEYLIME", str(ROOT / "build" / "keylime"))
    if subprocess.run([*one_machine.AS_ROOT, "true"], capture_output=True).returncode:
        pytest.skip("keylime-policy runs as root only, and this is neither root nor may it make a user namespace")
    setup = subprocess.run([ROOT / "keylime" / "setup", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, timeout=900)
    if setup.returncode == 3:
        pytest.skip(setup.stdout.strip().splitlines()[-1])
    assert setup.returncode == 0, setup.stdout
    return folder


@pytest.fixture(scope="session")
def site(keylime, tmp_path_factory):
    with one_machine.Site(os.environ.get("KEYLIME_WORK") or tmp_path_factory.mktemp("site"), keylime,
                          os.environ["CVTPM"], os.environ.get("KEYLIME_AGENT"), one_machine.free_ports()) as s:
        if os.environ.get("KEYLIME_SCRIPT"):
            s.script = pathlib.Path(os.environ["KEYLIME_SCRIPT"])
        s.start_servers()
        s.start_tpm()
        s.boot()
        s.configure()
        s.start_agent()
        s.policies = s.make_policies()
        yield s


@pytest.fixture(autouse=True)
def good_configuration(site):
    site.configure()


@pytest.fixture
def sent(site):
    """Makes an EK certificate the one that the agent has sent: puts it where the registrar keeps what it was sent."""
    before = row(site)["ekcert"]

    def send(value):
        with database(site) as db:
            assert db.execute("update registrarmain set ekcert = ? where agent_id = ?",
                              (value, site.uuid)).rowcount == 1
    yield send
    send(before)
