"""Policies under tpm2-tools: each is worked out in a trial session, guards a sealed secret, and opens it when met."""
import hashlib

import pytest

SECRET = "guarded by a policy"
POLICY_FAIL, PCR_CHANGED = "0x99D", "0x128"
NV_INDEX = "0x1500016"


@pytest.fixture
def tools(direct):
    direct("createprimary -Q -C o -G ecc -c primary")
    direct.write("data", SECRET.encode())
    return direct


def seal(tools, policy="policy", options=""):
    tools(f"create -Q -C primary -i data -L {policy} -u sealed.pub -r sealed.priv -a fixedtpm|fixedparent {options}")
    tools("load -Q -C primary -u sealed.pub -r sealed.priv -c sealed")


def unseal(tools, *assertions, fails=None, auth=""):
    with tools.session(*assertions) as s:
        out = tools(f"unseal -c sealed -p session:{s}{auth}", fails=fails)
    if not fails:
        assert out == SECRET


def signer(tools, name, kind="ec -pkeyopt ec_paramgen_curve:P-256"):
    """A key of openssl, and its public part in the TPM."""
    tools.openssl(f"genpkey -algorithm {kind} -out {name}.private")
    tools.openssl(f"pkey -in {name}.private -pubout -out {name}.pem")
    tools(f"loadexternal -Q -C o -G {'rsa' if kind == 'rsa' else 'ecc'} -u {name}.pem -c {name} -n {name}.name")
    return name


def test_pcrs_of_several_banks(tools):
    selection = "sha256:7,16+sha384:7"
    tools.policy(f"policypcr -l {selection}")
    seal(tools)
    unseal(tools, f"policypcr -l {selection}")
    unseal(tools, fails=POLICY_FAIL)
    with tools.session(f"policypcr -l {selection}") as s:
        tools("pcrextend 7:sha384=" + "22" * 48)
        tools(f"unseal -c sealed -p session:{s}", fails=PCR_CHANGED)
    unseal(tools, f"policypcr -l {selection}", fails=POLICY_FAIL)


def test_either_of_two(tools):
    tools.policy("policycommandcode 0x15E", file="one")  # TPM_CC_Unseal
    tools.policy("policypassword", file="two")
    tools.policy("policyor -l sha256:one,two")
    seal(tools, options="-p secret")
    unseal(tools, "policycommandcode 0x15E", "policyor -l sha256:one,two")
    unseal(tools, "policypassword", "policyor -l sha256:one,two", auth="+secret")
    unseal(tools, "policypassword", "policyor -l sha256:one,two", auth="+wrong", fails="0x98E")
    with tools.session() as s:
        tools.assertion(s, "policyor -l sha256:one,two", fails="0x1C4")  # TPM_RC_VALUE: neither holds


@pytest.mark.parametrize("how", ["policyauthvalue", "policypassword"])
def test_the_authorization_of_the_object(tools, how):
    tools.policy(how)
    seal(tools, options="-p secret")
    unseal(tools, how, auth="+secret")
    unseal(tools, how, auth="+wrong", fails="0x98E")
    unseal(tools, fails=POLICY_FAIL)


@pytest.mark.parametrize("kind", ["ec -pkeyopt ec_paramgen_curve:P-256", "rsa"])
def test_a_signature_of_somebody_who_may_change_the_policy(tools, kind):
    """PolicyAuthorize: what is signed later is as good as what was known when the secret was sealed."""
    signer(tools, "authority", kind)
    tools.policy("policyauthorize -n authority.name -q 0a0b")
    seal(tools)
    tools.policy("policypcr -l sha256:7", file="approved")
    tools.write("reference", bytes.fromhex("0a0b"))
    tools.write("approval", tools.read("approved") + tools.read("reference"))
    tools.openssl("dgst -sha256 -sign authority.private -out sig approval")
    scheme = "rsassa" if kind == "rsa" else "ecdsa"
    tools(f"verifysignature -Q -c authority -g sha256 -m approval -s sig -f {scheme} -t ticket")
    authorize = "policyauthorize -n authority.name -i approved -q 0a0b -t ticket"
    unseal(tools, "policypcr -l sha256:7", authorize)
    with tools.session() as s:
        tools.assertion(s, authorize, fails="0x1C4")
    ticket = bytearray(tools.read("ticket"))
    ticket[-1] ^= 1
    tools.write("ticket", bytes(ticket))
    with tools.session("policypcr -l sha256:7") as s:
        tools.assertion(s, authorize, fails="0x4C4")


@pytest.mark.parametrize("kind", ["ec -pkeyopt ec_paramgen_curve:P-256", "rsa"])
def test_a_signature_over_the_session_and_its_ticket(tools, kind):
    signer(tools, "guard", kind)
    scheme = "rsassa" if kind == "rsa" else "ecdsa"

    def signed(s, what, fails=None, expiration=0, more=""):
        tools(f"policysigned -Q -S {s} -c guard -x -t {expiration} -q 0102 --raw-data raw")
        tools.openssl(f"dgst -sha256 -sign guard.private -out sig {what}")
        tools(f"policysigned -Q -S {s} -c guard -x -t {expiration} -q 0102 -g sha256 -s sig -f {scheme} -L policy {more}",
              fails=fails)

    with tools.session(kind="", name="trial") as s:
        tools.write("raw", b"")
        signed(s, "raw")
    seal(tools)
    with tools.session() as s:
        signed(s, "raw")
        assert tools(f"unseal -c sealed -p session:{s}") == SECRET
    with tools.session() as s:
        signed(s, "data", fails="0x5DB")  # TPM_RC_SIGNATURE of the fifth parameter
        tools(f"unseal -c sealed -p session:{s}", fails=POLICY_FAIL)
    with tools.session() as s:
        signed(s, "raw", expiration=-3600, more="--ticket ticket --timeout timeout")
        assert tools(f"unseal -c sealed -p session:{s}") == SECRET
    by_ticket = "policyticket -n guard.name -q 0102 --ticket ticket --timeout timeout"
    unseal(tools, by_ticket)
    unseal(tools, by_ticket)  # as often as one likes
    timeout = bytearray(tools.read("timeout"))
    timeout[-1] ^= 1
    tools.write("timeout", bytes(timeout))
    with tools.session() as s:
        tools.assertion(s, by_ticket, fails="ticket")


def test_a_secret_of_the_owner_and_its_ticket(tools):
    tools("changeauth -Q -c o owner")
    tools.policy("policysecret -c o owner")
    tools("createprimary -Q -C o -P owner -G ecc -c primary")
    seal(tools)
    unseal(tools, "policysecret -c o owner")
    with tools.session() as s:
        tools.assertion(s, "policysecret -c o wrong", fails="0x9A2")  # TPM_RC_BAD_AUTH
        tools.assertion(s, "policysecret -c o -t -3600 -x --ticket ticket --timeout timeout owner")
    tools.write("owner.name", bytes.fromhex("40000001"))
    by_ticket = "policyticket -n owner.name --ticket ticket --timeout timeout"
    unseal(tools, by_ticket)
    tools("clear -Q -c p")  # with the owner's proof goes what the tickets were made with
    tools("createprimary -Q -C o -G ecc -c primary")
    with tools.session() as s:
        tools.assertion(s, by_ticket, fails="ticket")


def test_the_content_of_an_index(tools):
    tools.write("operand", (100).to_bytes(8, "big"))
    tools(f"nvdefine -Q {NV_INDEX} -C o -s 8 -a ownerread|ownerwrite|authread|authwrite")
    tools(f"nvwrite -Q {NV_INDEX} -C o -i operand")
    tools.policy(f"policynv -i operand -C o {NV_INDEX} ult")
    seal(tools)

    def with_content(value, fails=None):
        tools.write("content", value.to_bytes(8, "big"))
        tools(f"nvwrite -Q {NV_INDEX} -C o -i content")
        with tools.session() as s:
            tools.assertion(s, f"policynv -i operand -C o {NV_INDEX} ult", fails=fails)
            if not fails:
                assert tools(f"unseal -c sealed -p session:{s}") == SECRET

    with_content(99)
    with_content(0)
    with_content(100, fails="0x126")  # TPM_RC_POLICY
    with_content(2**63, fails="0x126")


def test_a_policy_that_an_index_holds(tools):
    """PolicyAuthorizeNV: who may write the index may change the policy."""
    tools(f"nvdefine -Q {NV_INDEX} -C o -s 34 -a ownerread|ownerwrite|authread")
    tools.policy("policycommandcode 0x15E", file="approved")
    tools.write("content", (0x000B).to_bytes(2, "big") + tools.read("approved"))
    tools(f"nvwrite -Q {NV_INDEX} -C o -i content")
    tools.policy(f"policyauthorizenv -C o {NV_INDEX}")
    seal(tools)
    unseal(tools, "policycommandcode 0x15E", f"policyauthorizenv -C o {NV_INDEX}")
    tools.write("content", (0x000B).to_bytes(2, "big") + bytes(32))
    tools(f"nvwrite -Q {NV_INDEX} -C o -i content")
    with tools.session("policycommandcode 0x15E") as s:
        tools.assertion(s, f"policyauthorizenv -C o {NV_INDEX}", fails="0x84")  # TPM_RC_VALUE


def test_a_locality(tools):
    tools.policy("policylocality zero", file="zero")
    tools.policy("policylocality three", file="three")
    seal(tools, "zero")
    unseal(tools, "policylocality zero")
    seal(tools, "three")
    unseal(tools, "policylocality three", fails="0x907")  # TPM_RC_LOCALITY


def test_clocks_and_counters(tools):
    tools.policy("policycountertimer --ult clock=31536000000")
    seal(tools)
    with tools.session("policycountertimer --ult clock=31536000000") as s:
        assert tools(f"unseal -c sealed -p session:{s}") == SECRET
        tools("setclock 31536000001")
        tools.assertion(s, "policycountertimer --ult clock=31536000000", fails="0x126")


def test_a_template(tools):
    tools.write("template", b"")
    tools("createprimary -Q -C o -G ecc -c other --template-data template")
    tools.write("digest", hashlib.sha256(tools.read("template")).digest())
    tools.policy("policytemplate --template-hash digest")
    tools("setprimarypolicy -Q -C o -L policy -g sha256")
    tools("changeauth -Q -c o owner")
    for kind, fails in (("ecc", None), ("rsa", POLICY_FAIL)):
        with tools.session("policytemplate --template-hash digest") as s:
            tools(f"createprimary -Q -C o -P session:{s} -G {kind} -c other", fails=fails)


@pytest.mark.parametrize("hash_alg", ["sha1", "sha256", "sha384", "sha512"])
def test_policies_of_each_hash(tools, hash_alg):
    tools.policy("policycommandcode 0x15E", options=f"-g {hash_alg}")
    first = hashlib.new(hash_alg, bytes(hashlib.new(hash_alg).digest_size) + bytes.fromhex("0000016c0000015e"))
    assert tools.read("policy") == first.digest()
    seal(tools, options=f"-g {hash_alg}")
    with tools.session("policycommandcode 0x15E", kind=f"--policy-session -g {hash_alg}") as s:
        assert tools(f"unseal -c sealed -p session:{s}") == SECRET
