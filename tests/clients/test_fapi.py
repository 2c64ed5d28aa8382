"""The feature API of tpm2-tss, by its tools tss2_...: it provisions a TPM and keeps what belongs to it in a store."""
import json
import pathlib
import shutil
import subprocess

import pytest
from cvtpm_test import LIMIT

PROFILES = pathlib.Path("/etc/tpm2-tss/fapi-profiles")
if not shutil.which("tss2_provision") or not PROFILES.exists():
    pytest.skip("the tools of FAPI are not installed (make deps-clients)", allow_module_level=True)


@pytest.fixture(params=sorted(path.stem for path in PROFILES.glob("*.json")))
def fapi(direct, monkeypatch, request):
    """Runs a tool on a provisioned TPM: fapi("sign --keyPath=HS/SRK/key ...")."""
    for folder in ("user", "system", "log"):
        (direct.folder / folder).mkdir()
    config = {"profile_name": request.param, "profile_dir": f"{PROFILES}/", "tcti": direct.tcti, "system_pcrs": [],
              "ek_cert_less": "yes", **{name: str(direct.folder / folder) for name, folder in
                                        (("user_dir", "user"), ("system_dir", "system"), ("log_dir", "log"))}}
    direct.write("config.json", json.dumps(config).encode())
    monkeypatch.setenv("TSS2_FAPICONF", str(direct.folder / "config.json"))

    def run(line, fails=False):
        tool, *arguments = line.split()
        done = subprocess.run([f"tss2_{tool}", *arguments], cwd=direct.folder, capture_output=True, timeout=LIMIT)
        assert (done.returncode != 0) == fails, f"tss2_{line}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    run("provision")
    run.files = direct
    return run


def test_keys_sign_what_openssl_verifies(fapi):
    files = fapi.files
    files.write("message", b"signed by FAPI")
    files.openssl("dgst -sha256 -binary -out digest message")
    fapi("createkey --path=HS/SRK/key --type=sign,noDa --authValue=")
    # its RSA profile signs with RSAPSS
    fapi("sign --keyPath=HS/SRK/key --digest=digest --signature=sig --publicKey=public.pem")
    rsa = b"Modulus" in files.openssl("pkey -pubin -in public.pem -text -noout")
    files.openssl(f"dgst -sha256 -verify public.pem {'-sigopt rsa_padding_mode:pss' if rsa else ''} -signature sig message")
    fapi("verifysignature --keyPath=HS/SRK/key --digest=digest --signature=sig")
    files.openssl("dgst -sha256 -binary -out digest public.pem")
    fapi("verifysignature --keyPath=HS/SRK/key --digest=digest --signature=sig", fails=True)


def test_sealed_secrets_and_nv(fapi):
    files = fapi.files
    files.write("data", b"kept by FAPI")
    fapi("createseal --path=HS/SRK/seal --type=noDa --authValue= --data=data")
    assert fapi("unseal --path=HS/SRK/seal --data=-") == b"kept by FAPI"
    fapi("createnv --path=/nv/Owner/ordinary --type=noDa --size=12 --authValue=")
    fapi("nvwrite --nvPath=/nv/Owner/ordinary --data=data")
    assert fapi("nvread --nvPath=/nv/Owner/ordinary --data=-") == b"kept by FAPI"
    fapi("createnv --path=/nv/Owner/counter --type=counter,noDa --authValue=")
    values = []
    for _ in range(2):
        fapi("nvincrement --nvPath=/nv/Owner/counter")
        values.append(int.from_bytes(fapi("nvread --nvPath=/nv/Owner/counter --data=-"), "big"))
    assert values[1] == values[0] + 1
    fapi("delete --path=/nv/Owner/ordinary")
    fapi("nvread --nvPath=/nv/Owner/ordinary --data=-", fails=True)


def test_quotes(fapi):
    files = fapi.files
    files.write("nonce", b"of the verifier")
    files.write("event", b"measured by FAPI")
    fapi("createkey --path=HS/SRK/ak --type=sign,restricted,noDa --authValue=")
    fapi("pcrextend --pcr=16 --data=event")
    fapi("quote --keyPath=HS/SRK/ak --pcrList=16 --qualifyingData=nonce --signature=sig --quoteInfo=info --pcrLog=log.json")
    verify = "verifyquote --publicKeyPath=HS/SRK/ak --quoteInfo=info --signature=sig --pcrLog=log.json --qualifyingData"
    fapi(f"{verify}=nonce")
    fapi(f"{verify}=event", fails=True)


def test_what_was_provisioned_goes(fapi):
    fapi("createkey --path=HS/SRK/key --type=sign,noDa --authValue=")
    assert b"HS/SRK/key" in fapi("list")
    assert "0x81000001" in fapi.files("getcap handles-persistent")
    fapi("delete --path=/")
    assert "0x81000001" not in fapi.files("getcap handles-persistent")
    fapi("provision")
