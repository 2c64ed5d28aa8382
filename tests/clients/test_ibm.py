"""IBM's TSS, a client stack of its own: the tools that Debian's package tss2 names tss...

Each tool keeps the Names of what it made and the state of sessions in a folder, checks every response's HMAC,
and ends with a status other than 0 when something does not agree.
"""
import os
import re
import shutil
import subprocess

import pytest
from cvtpm_test import LIMIT

if not shutil.which("tsscreateprimary"):
    pytest.skip("tss2 is not installed (make deps-clients)", allow_module_level=True)

PARENT = ("-pwdp", "sto")
KEPT = ("-kt", "f", "-kt", "p")


class Tools:
    def __init__(self, server, folder):
        self.folder = folder
        self.environment = dict(
            os.environ, TPM_INTERFACE_TYPE="socsim", TPM_SERVER_TYPE="mssim", TPM_SERVER_NAME="127.0.0.1",
            TPM_COMMAND_PORT=str(server.address("mssim")[1]), TPM_PLATFORM_PORT=str(server.address("platform")[1]),
            TPM_DATA_DIR=str(folder), TPM_ENCRYPT_SESSIONS="0")  # each process would encrypt by a key of its own

    def __call__(self, tool, *arguments, fails=None):
        """What the tool prints. `fails` is the response code that it must name, as TPM_RC_..."""
        done = subprocess.run([f"tss{tool}", *map(str, arguments)], capture_output=True, text=True, timeout=LIMIT,
                              cwd=self.folder, env=self.environment, errors="replace")
        said = f"tss{tool} {arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        if fails:
            assert done.returncode != 0 and fails in done.stdout, said
        else:
            assert done.returncode == 0, said
        return done.stdout

    def handle(self, tool, *arguments):
        """Runs a tool that makes something; the handle that it prints."""
        return re.search(r"Handle ([0-9a-f]{8})", self(tool, *arguments))[1]

    def primary(self, *kind):
        return self.handle("createprimary", "-hi", "o", "-pwdk", "sto", *kind)

    def loaded(self, parent, *options, session=(), load_session=()):
        self("create", "-hp", parent, *PARENT, *options, *KEPT, "-opr", "priv", "-opu", "pub", *session)
        return self.handle("load", "-hp", parent, *PARENT, "-ipr", "priv", "-ipu", "pub", *load_session)

    def write(self, name, data):
        (self.folder / name).write_bytes(data)
        return name

    def read(self, name):
        return (self.folder / name).read_bytes()


@pytest.fixture
def tss(server, tmp_path):
    return Tools(server, tmp_path)


ALGORITHMS = {"rsa": ["-rsa"], "ecc": ["-ecc", "nistp256"]}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_create_load_sign_verify(tss, algorithm):
    parent = tss.primary(*ALGORITHMS[algorithm])
    key = tss.loaded(parent, "-si", *ALGORITHMS[algorithm], "-pwdk", "sig")
    message = tss.write("message", b"to be signed")
    tss("sign", "-hk", key, "-pwdk", "sig", f"-{algorithm}", "-if", message, "-os", "signature")
    tss("verifysignature", "-hk", key, "-if", message, "-is", "signature", f"-{algorithm}")
    tss("verifysignature", "-hk", key, "-if", tss.write("other", b"not signed"), "-is", "signature", f"-{algorithm}",
        fails="TPM_RC_SIGNATURE")
    tss("sign", "-hk", key, "-pwdk", "wrong", f"-{algorithm}", "-if", message, fails="TPM_RC_BAD_AUTH")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_quote(tss, algorithm):
    parent = tss.primary(*ALGORITHMS[algorithm])
    key = tss.loaded(parent, "-sir", *ALGORITHMS[algorithm], "-pwdk", "sig")
    tss("pcrextend", "-ha", "16", "-halg", "sha256", "-ic", "measured")
    nonce = tss.write("nonce", b"a nonce of the verifier")
    tss("quote", "-hp", "16", "-hk", key, "-pwdk", "sig", "-salg", algorithm, "-qd", nonce, "-os", "signature",
        "-oa", "attest")
    assert b"a nonce of the verifier" in tss.read("attest")
    tss("verifysignature", "-hk", key, "-if", "attest", "-is", "signature", f"-{algorithm}")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("encryption", ["aes", "xor"])
def test_sealing_through_a_salted_encrypting_session(tss, algorithm, encryption):
    parent = tss.primary(*ALGORITHMS[algorithm])
    session = tss.handle("startauthsession", "-se", "h", "-hs", parent, "-sym", encryption)
    sealed = tss.loaded(parent, "-bl", "-if", tss.write("data", b"sealed data"), "-pwdk", "x",
                        session=("-se0", session, "61"), load_session=("-se0", session, "21"))
    tss("unseal", "-ha", sealed, "-pwd", "x", "-of", "out", "-se0", session, "41")
    assert tss.read("out") == b"sealed data"
    tss("unseal", "-ha", sealed, "-pwd", "wrong", "-se0", session, "41", fails="TPM_RC_BAD_AUTH")
    tss("getrandom", "-by", "16", "-se0", session, "40")  # without continueSession: the session ends
    tss("getrandom", "-by", "16", "-se0", session, "40", fails="rc")


def test_a_session_bound_to_a_key(tss):
    parent = tss.primary("-ecc", "nistp256")
    session = tss.handle("startauthsession", "-se", "h", "-bi", parent, "-pwdb", "sto", "-sym", "aes")
    tss.loaded(parent, "-si", "-ecc", "nistp256", session=("-se0", session, "61"),
               load_session=("-se0", session, "20"))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_activatecredential(tss, algorithm):
    parent = tss.primary(*ALGORITHMS[algorithm])
    key = tss.loaded(parent, "-sir", *ALGORITHMS[algorithm], "-pwdk", "sig")
    tss("makecredential", "-ha", parent, "-icred", tss.write("credential", b"credential of 24 octets."), "-in",
        f"h{key}.bin", "-ocred", "blob", "-os", "secret")
    activate = ["activatecredential", "-ha", key, "-hk", parent, "-is", "secret", "-pwda", "sig", "-pwdk", "sto"]
    tss(*activate, "-icred", "blob", "-ocred", "out")
    assert tss.read("out") == b"credential of 24 octets."
    blob = tss.read("blob")
    tss(*activate, "-icred", tss.write("bad", blob[:-1] + bytes([blob[-1] ^ 1])), fails="TPM_RC_INTEGRITY")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rewrap(tss, algorithm):
    """A key goes to one parent and, in that one's hands, on to another."""
    trial = tss.handle("startauthsession", "-se", "t")
    tss("policycommandcode", "-ha", trial, "-cc", "14b")
    tss("policygetdigest", "-ha", trial, "-of", "policy")
    parent = tss.primary("-ecc", "nistp256")
    tss("create", "-hp", parent, *PARENT, "-si", "-ecc", "nistp256", "-kt", "nf", "-kt", "np", "-pol", "policy", "-pwdk", "sig",
        "-opr", "priv", "-opu", "pub")
    key = tss.handle("load", "-hp", parent, *PARENT, "-ipr", "priv", "-ipu", "pub")
    name = tss.write("name", tss.read(f"h{key}.bin"))
    other = tss.write("other", tss.read(f"h{parent}.bin"))
    tss("flushcontext", "-ha", parent)
    old = tss.primary(*ALGORITHMS[algorithm])
    policy = tss.handle("startauthsession", "-se", "p")
    tss("policycommandcode", "-ha", policy, "-cc", "14b")
    tss("duplicate", "-ho", key, "-hp", old, "-od", "dup", "-oss", "seed", "-se0", policy, "0")
    tss("flushcontext", "-ha", key)
    new = tss.handle("createprimary", "-hi", "e", "-pwdk", "sto", *ALGORITHMS[algorithm])
    rewrap = ["rewrap", "-ho", old, "-hn", new, "-id", "dup", "-iss", "seed", "-od", "dup2", "-oss", "seed2"]
    tss(*rewrap, "-in", name, "-pwdo", "wrong", fails="TPM_RC_BAD_AUTH")
    tss(*rewrap, "-in", other, "-pwdo", "sto", fails="TPM_RC_INTEGRITY")
    tss(*rewrap, "-in", name, "-pwdo", "sto")
    blob = ["-pwdp", "sto", "-ipu", "pub", "-id", "dup2", "-iss", "seed2", "-opr", "priv2"]
    tss("import", "-hp", old, *blob, fails="TPM_RC")
    tss("import", "-hp", new, *blob)
    moved = tss.handle("load", "-hp", new, "-pwdp", "sto", "-ipr", "priv2", "-ipu", "pub")
    message = tss.write("message", b"to be signed")
    tss("sign", "-hk", moved, "-pwdk", "sig", "-ecc", "-if", message, "-os", "signature")
    tss("verifysignature", "-hk", moved, "-if", message, "-is", "signature", "-ecc")


def test_nv_life_of_an_ordinary_index(tss):
    index = ("-ha", "01500001")
    auth = ("-pwdn", "nnn")
    tss("nvdefinespace", "-hi", "o", *index, *auth, "-sz", "16", "+at", "rst", "+at", "wd")
    tss("nvread", *index, *auth, "-sz", "16", fails="TPM_RC_NV_UNINITIALIZED")
    session = tss.handle("startauthsession", "-se", "h")
    tss("nvwrite", *index, *auth, "-ic", "0123456789abcdef", "-se0", session, "1")
    tss("nvread", *index, *auth, "-sz", "16", "-of", "out", "-se0", session, "1")
    assert tss.read("out") == b"0123456789abcdef"
    assert "TPMA_NV_WRITTEN" in tss("nvreadpublic", *index)
    tss("nvwritelock", *index, *auth)
    tss("nvwrite", *index, *auth, "-ic", "x", fails="TPM_RC_NV_LOCKED")
    tss("nvreadlock", *index, *auth)
    tss("nvread", *index, *auth, "-sz", "16", fails="TPM_RC_NV_LOCKED")
    tss("nvundefinespace", "-hi", "o", *index)
    tss("nvreadpublic", *index, fails="TPM_RC_HANDLE")


def test_nv_counters_and_bits(tss):
    tss("nvdefinespace", "-hi", "o", "-ha", "01500002", "-pwdn", "n", "-ty", "c")
    values = []
    for _ in range(2):
        tss("nvincrement", "-ha", "01500002", "-pwdn", "n")
        tss("nvread", "-ha", "01500002", "-pwdn", "n", "-sz", "8", "-of", "out")
        values.append(int.from_bytes(tss.read("out"), "big"))
    assert values[1] == values[0] + 1
    tss("nvdefinespace", "-hi", "o", "-ha", "01500003", "-pwdn", "n", "-ty", "b")
    for bit in (0, 16):
        tss("nvsetbits", "-ha", "01500003", "-pwdn", "n", "-bit", bit)
    tss("nvread", "-ha", "01500003", "-pwdn", "n", "-sz", "8", "-of", "out")
    assert int.from_bytes(tss.read("out"), "big") == 0x10001


@pytest.mark.parametrize("how", ["policyauthvalue", "policypassword"])
def test_a_policy_with_the_object_authorization(tss, how):
    trial = tss.handle("startauthsession", "-se", "t")
    tss(how, "-ha", trial)
    tss("policygetdigest", "-ha", trial, "-of", "policy")
    parent = tss.primary("-ecc", "nistp256")
    key = tss.loaded(parent, "-si", "-ecc", "nistp256", "-pwdk", "sig", "-pol", "policy", "-uwa")
    message = tss.write("message", b"to be signed")
    sign = ["sign", "-hk", key, "-ecc", "-if", message]
    policy = tss.handle("startauthsession", "-se", "p")
    tss(*sign, "-pwdk", "sig", "-se0", policy, "1", fails="TPM_RC_POLICY_FAIL")
    tss(how, "-ha", policy)
    tss(*sign, "-pwdk", "wrong", "-se0", policy, "1", fails="TPM_RC_BAD_AUTH")
    tss(*sign, "-pwdk", "sig", "-se0", policy, "1")


def test_a_policy_of_pcrs(tss):
    trial = tss.handle("startauthsession", "-se", "t")
    tss("policypcr", "-ha", trial, "-halg", "sha256", "-bm", "80")
    tss("policygetdigest", "-ha", trial, "-of", "policy")
    parent = tss.primary("-ecc", "nistp256")
    key = tss.loaded(parent, "-si", "-ecc", "nistp256", "-pol", "policy", "-uwa")
    message = tss.write("message", b"to be signed")
    policy = tss.handle("startauthsession", "-se", "p")
    tss("policypcr", "-ha", policy, "-halg", "sha256", "-bm", "80")
    tss("sign", "-hk", key, "-ecc", "-if", message, "-se0", policy, "1")
    tss("policypcr", "-ha", policy, "-halg", "sha256", "-bm", "80")
    tss("pcrextend", "-ha", "7", "-halg", "sha256", "-ic", "x")
    tss("sign", "-hk", key, "-ecc", "-if", message, "-se0", policy, "1", fails="TPM_RC_PCR_CHANGED")
