"""Programs with a use for a TPM: openssl with the provider tpm2-openssl, pkcs11-tool with a token of tpm2-pkcs11, clevis,
systemd-creds."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from cvtpm_test import LIMIT

PROVIDER = "-provider tpm2 -provider default -propquery ?provider=tpm2"
KINDS = {"rsa": "-algorithm RSA -pkeyopt bits:2048", "p256": "-algorithm EC -pkeyopt group:P-256",
         "p384": "-algorithm EC -pkeyopt group:P-384"}


def module(pattern):
    found = next(pathlib.Path("/").glob(f"usr/lib/*-linux-gnu/{pattern}"), None)
    if not found:
        pytest.skip(f"{pattern} is not installed (make deps-clients)")
    return found


# ---- openssl ----

@pytest.fixture
def tools(direct, monkeypatch):
    module("ossl-modules/tpm2.so")
    monkeypatch.setenv("TPM2OPENSSL_TCTI", direct.tcti)
    return direct


def key(tools, kind):
    tools.openssl(f"genpkey {PROVIDER} {KINDS[kind]} -out key.pem")
    assert b"TSS2 PRIVATE KEY" in tools.read("key.pem")  # of use to nobody without this TPM
    tools.openssl(f"pkey {PROVIDER} -in key.pem -pubout -out public.pem")


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_the_provider_sign(tools, kind):
    tools.write("message", b"signed by the provider")
    key(tools, kind)
    for digest in ("sha256", "sha384", "sha512"):
        tools.openssl(f"dgst {PROVIDER} -{digest} -sign key.pem -out sig message")
        tools.openssl(f"dgst -{digest} -verify public.pem -signature sig message")
    if kind == "rsa":
        pss = "-pkeyopt rsa_padding_mode:pss"
        tools.openssl(f"pkeyutl {PROVIDER} -sign -inkey key.pem -rawin -digest sha256 {pss} -in message -out sig")
        tools.openssl(f"pkeyutl -verify -pubin -inkey public.pem -rawin -digest sha256 {pss} -in message -sigfile sig")


def test_rsa_keys_of_the_provider_decrypt(tools):
    secret = tools.write("secret", os.urandom(32))
    key(tools, "rsa")
    tools.openssl(f"pkeyutl -encrypt -pubin -inkey public.pem -in {secret} -out cipher")
    tools.openssl(f"pkeyutl {PROVIDER} -decrypt -inkey key.pem -in cipher -out out")
    assert tools.read("out") == tools.read(secret)


@pytest.mark.parametrize("kind", ["p256", "p384"])
def test_keys_of_the_provider_agree(tools, kind):
    key(tools, kind)
    tools.openssl(f"genpkey {KINDS[kind]} -out other.pem")
    tools.openssl("pkey -in other.pem -pubout -out other.public")
    tools.openssl("pkeyutl -derive -inkey other.pem -peerkey public.pem -out theirs")
    tools.openssl(f"pkeyutl {PROVIDER} -derive -inkey key.pem -peerkey other.public -out ours")
    assert tools.read("ours") == tools.read("theirs")


@pytest.mark.parametrize("kind", KINDS)
def test_a_tls_server_whose_key_is_in_the_tpm(tools, kind):
    key(tools, kind)
    tools.openssl(f"req {PROVIDER} -x509 -new -key key.pem -subj /CN=localhost -days 2 -out cert.pem")
    server = subprocess.Popen(["openssl", "s_server", *PROVIDER.split(), "-accept", "127.0.0.1:0", "-key", "key.pem",
                               "-cert", "cert.pem", "-www"], cwd=tools.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
    try:
        address = None
        for line in server.stdout:  # the port that it was given
            address = re.search(r"ACCEPT (\S+:\d+)", line)
            if address:
                break
        assert address, "openssl s_server did not start"
        for version in ("-tls1_2", "-tls1_3"):
            done = subprocess.run(["openssl", "s_client", "-connect", address[1], version, "-CAfile", "cert.pem",
                                   "-verify_return_error"], cwd=tools.folder, input="", capture_output=True, text=True,
                                  timeout=LIMIT)
            assert "Verify return code: 0 (ok)" in done.stdout, done.stdout + done.stderr
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


# ---- PKCS #11 ----

@pytest.fixture
def token(direct, monkeypatch):
    """Runs pkcs11-tool on a token with an RSA and an ECC key; its PIN is "userpin"."""
    library = module("pkcs11/libtpm2_pkcs11.so")
    for program in ("pkcs11-tool", "tpm2_ptool"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed (make deps-clients)")
    for name in ("TPM2_PKCS11_TCTI", "TPM2TOOLS_TCTI"):
        monkeypatch.setenv(name, direct.tcti)
    monkeypatch.setenv("TPM2_PKCS11_STORE", str(direct.folder))

    def run(*arguments, fails=None):
        done = subprocess.run(arguments, cwd=direct.folder, capture_output=True, text=True, timeout=LIMIT)
        said = f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0 if fails is None else fails in done.stderr, said
        return done.stdout

    def ptool(what, *arguments):
        run("tpm2_ptool", what, *arguments, "--path", str(direct.folder))

    def tool(*arguments, pin="userpin", fails=None):
        login = ("--login", "--pin", pin) if pin else ()
        return run("pkcs11-tool", "--module", str(library), "--token-label", "token", *login, *arguments, fails=fails)

    ptool("init")
    ptool("addtoken", "--pid=1", "--label=token", "--sopin=sopin", "--userpin=userpin")
    for name, algorithm in (("01", "rsa2048"), ("02", "ecc256")):
        ptool("addkey", "--algorithm", algorithm, "--label=token", "--key-label", name, "--id", name, "--userpin=userpin")
    tool.files = direct
    return tool


def sign(token, mechanism, name, **others):
    token("--sign", "-m", mechanism, "--id", name.encode().hex(), "--signature-format", "openssl", "-i", "message", "-o",
          "sig", **others)


@pytest.mark.parametrize("name,mechanism", [("01", "SHA256-RSA-PKCS"), ("02", "ECDSA-SHA256")])
def test_keys_of_a_token_sign(token, name, mechanism):
    files = token.files
    files.write("message", b"signed by a token")
    sign(token, mechanism, name)
    token("--read-object", "--type", "pubkey", "--id", name.encode().hex(), "-o", "public.der", pin=None)
    files.openssl("dgst -sha256 -verify public.der -keyform DER -signature sig message")
    sign(token, mechanism, name, pin="wrong", fails="CKR_PIN_INCORRECT")
    token("--change-pin", "--new-pin", "another")
    sign(token, mechanism, name, fails="CKR_PIN_INCORRECT")
    sign(token, mechanism, name, pin="another")


def test_a_token_makes_keys_and_outlives_a_restart(token):
    files = token.files
    files.write("message", b"signed after a restart")
    token("--keypairgen", "--key-type", "rsa:2048", "--id", "33", "--label", "new")
    files("shutdown -c")
    files.server.platform().reset()
    files("startup -c")
    token("--sign", "-m", "SHA384-RSA-PKCS", "--id", "33", "-i", "message", "-o", "sig")
    token("--read-object", "--type", "pubkey", "--id", "33", "-o", "public.der", pin=None)
    files.openssl("dgst -sha384 -verify public.der -keyform DER -signature sig message")
    assert "new" in token("--list-objects")


# ---- secrets that wait for a boot ----

def filter_(command, data, fails=False):
    """What a program makes of its input; None if it fails, as it must with `fails`."""
    done = subprocess.run(command, input=data, capture_output=True, timeout=LIMIT)
    assert (done.returncode != 0) == fails, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return None if fails else done.stdout


@pytest.mark.parametrize("config", ["{}", '{"pcr_bank":"sha256","pcr_ids":"7,16"}', '{"key":"rsa","hash":"sha256"}'])
def test_clevis_opens_what_it_has_sealed(direct, monkeypatch, config):
    if not shutil.which("clevis-encrypt-tpm2"):
        pytest.skip("clevis-tpm2 is not installed (make deps-clients)")
    monkeypatch.setenv("TPM2TOOLS_TCTI", direct.tcti)
    sealed = filter_(["clevis", "encrypt", "tpm2", config], b"the key of a disk")
    assert filter_(["clevis", "decrypt"], sealed) == b"the key of a disk"
    direct("pcrextend 16:sha256=" + "11" * 32)
    filter_(["clevis", "decrypt"], sealed, fails="pcr_ids" in config)
    direct("clear -Q -c p")
    filter_(["clevis", "decrypt"], sealed, fails=True)


def test_a_credential_of_systemd(direct):
    if not shutil.which("systemd-creds"):
        pytest.skip("systemd-creds is not installed")
    device = f"--tpm2-device={direct.tcti}"
    sealed = filter_(["systemd-creds", "encrypt", "--with-key=tpm2", device, "--tpm2-pcrs=16", "--name=x", "-", "-"], b"secret")
    decrypt = ["systemd-creds", "decrypt", device, "--name=x", "-", "-"]
    assert filter_(decrypt, sealed) == b"secret"
    direct("pcrextend 16:sha256=" + "11" * 32)
    filter_(decrypt, sealed, fails=True)
