"""tpm2-tools through tpm2-abrmd: a resource manager saves and loads contexts for each client that asks."""
import hashlib
import os

import pytest

EK = 0x8101000A  # P-256


@pytest.fixture
def tools(managed):
    return managed


def test_more_objects_than_there_are_slots(tools):
    """Nothing is flushed by hand."""
    for i in range(8):
        tools(f"createprimary -Q -C o -G ecc -c primary{i}")
    for i in range(8):
        tools(f"create -Q -C primary{i} -G ecc -u pub{i} -r priv{i}")
        tools(f"load -Q -C primary{i} -u pub{i} -r priv{i} -c key{i}")
    tools.write("message", b"signed after having been swapped out")
    for i in range(8):
        tools(f"sign -Q -c key{i} -g sha256 -o sig message")
        tools(f"verifysignature -Q -c key{i} -g sha256 -m message -s sig")
    assert tools("getcap handles-transient") == ""


@pytest.mark.parametrize("algorithm,scheme", [("rsa", "rsassa"), ("ecc", "ecdsa")])
def test_an_attestation_key_is_activated_and_quotes(tools, algorithm, scheme):
    tools(f"createak -Q -C {EK:#x} -c ak -G {algorithm} -g sha256 -s {scheme} -u ak.pub -n ak.name")
    tools(f"readpublic -Q -c {EK:#x} -o ek.pub")
    secret = os.urandom(32)
    tools.write("secret", secret)
    name = tools.read("ak.name").hex()
    tools(f"makecredential -Q -u ek.pub -s secret -n {name} -o blob")
    with tools.session("policysecret -c e") as s:
        tools(f"activatecredential -Q -c ak -C {EK:#x} -i blob -o activated -P session:{s}")
    assert tools.read("activated") == secret

    tools("pcrextend 16:sha256=" + hashlib.sha256(secret).hexdigest())
    tools("quote -Q -c ak -l sha256:0,16 -q 00112233 -m quote -s sig -o pcrs")
    tools("checkquote -Q -u ak.pub -m quote -s sig -f pcrs -q 00112233")
    tools("checkquote -Q -u ak.pub -m quote -s sig -f pcrs -q 00112234", fails="checkquote")


def test_sealing_to_pcrs_by_sessions_that_are_swapped(tools):
    tools.write("data", b"sealed to these PCRs")
    tools("createprimary -Q -C o -G ecc -c primary")
    tools.policy("policypcr -l sha256:7")
    tools("create -Q -C primary -i data -L policy -u pub -r priv")
    tools("load -Q -C primary -u pub -r priv -c sealed")
    sessions = [f"session{i}" for i in range(4)]
    for session in sessions:
        tools(f"startauthsession -Q --policy-session -S {session}")
    for session in sessions:
        tools(f"policypcr -Q -S {session} -l sha256:7")
    assert tools(f"unseal -c sealed -p session:{sessions[0]}") == "sealed to these PCRs"
    tools("pcrextend 7:sha256=" + "11" * 32)
    tools(f"unseal -c sealed -p session:{sessions[1]}", fails="PCR")
    for session in sessions:
        tools(f"flushcontext {session}")


def test_encrypted_hmac_sessions_and_nv(tools):
    tools("createprimary -Q -C o -G ecc -c primary")
    tools("startauthsession -Q --hmac-session -c primary -S session")
    tools("sessionconfig session --enable-encrypt --enable-decrypt")
    assert len(tools("getrandom --hex -S session 16").strip()) == 32
    tools("flushcontext session")
    tools("nvdefine -Q 0x1500016 -C o -s 8 -a ownerread|ownerwrite|nt=counter")
    for _ in range(2):
        tools("nvincrement -Q 0x1500016 -C o")
    tools("nvread -Q 0x1500016 -C o -o counter")
    assert int.from_bytes(tools.read("counter"), "big") >= 2
    tools("nvundefine -Q 0x1500016 -C o")
