"""What a TPM keeps, under tpm2-tools: hierarchies, lockout, PCRs, NV indices, sessions, contexts, clocks."""
import hashlib
import re

import pytest

INDEX = "0x1500016"
AUTH_FAIL, BAD_AUTH, LOCKOUT, HIERARCHY = "0x98E", "0x9A2", "0x921", "0x185"


def number(text, name):
    """The number that getcap prints for a property."""
    match = re.search(rf"{name}(?: value)?:\s*(?:raw: )?(0x[0-9A-Fa-f]+|\d+)", text)
    assert match, f"no {name} in {text}"
    return int(match[1], 0)


# ---- capabilities ----

def test_each_group_of_capabilities(tools):
    groups = re.findall(r"^- (\S+)$", tools("getcap -l"), re.M)
    assert len(groups) == 13
    for group in groups:
        shown = tools(f"getcap {group}")
        assert shown or group in ("handles-transient", "handles-loaded-session", "handles-saved-session",
                                  "handles-nv-index", "handles-persistent"), group
    assert "TPM2_PT_FAMILY_INDICATOR" in tools("getcap properties-fixed")
    assert "TPM2_CC_GetRandom" in tools("getcap commands")
    assert "sha256" in tools("getcap algorithms")
    for shown, known in (("pcrs", "sha256"), ("ecc-curves", "TPM2_ECC_NIST_P256"), ("handles-pcr", "0x17"),
                         ("handles-permanent", "0x40000001"), ("properties-variable", "TPM2_PT_PERMANENT")):
        assert known in tools(f"getcap {shown}")


def test_selftest_random_and_parameters(direct):
    direct("selftest -f")
    assert "status" in direct("gettestresult")
    direct("incrementalselftest sha256 hmac")
    direct.write("more", b"entropy")
    direct("stirrandom more")
    assert len({direct("getrandom --hex 32") for _ in range(4)}) == 4
    for known in ("rsa2048", "ecc256:ecdsa", "aes128cfb", "hmac"):
        direct(f"testparms {known}")


def test_clocks(direct):
    def read():
        return {k: int(v) for k, v in re.findall(r"(\w+): (\d+)", direct("readclock"))}

    before = read()
    direct(f"setclock {before['clock'] + 3600000}")
    assert read()["clock"] >= before["clock"] + 3600000
    direct(f"setclock {before['clock']}", fails="0x1C4")  # never back
    direct("clockrateadjust -p '' f")
    direct("shutdown -c")
    direct.server.platform().reset()
    direct("startup -c")
    after = read()
    assert after["reset_count"] == before["reset_count"] + 1 and after["restart_count"] == 0


# ---- hierarchies ----

def test_authorization_values_of_hierarchies(direct):
    for hierarchy in ("o", "e", "l"):
        direct(f"changeauth -Q -c {hierarchy} first")
        direct(f"changeauth -Q -c {hierarchy} -p first second")
        direct(f"changeauth -Q -c {hierarchy} -p first third", fails="0x9")
        if hierarchy == "l":
            direct("clear -Q -c l second", fails=LOCKOUT)  # one try
        else:
            direct(f"createprimary -Q -C {hierarchy} -P second -G ecc -c primary")
            direct(f"createprimary -Q -C {hierarchy} -G ecc -c primary", fails=BAD_AUTH)
    direct("clear -Q -c p")
    direct("createprimary -Q -C o -G ecc -c primary")
    direct("dictionarylockout -Q -c")


@pytest.mark.parametrize("hierarchy,enable", [("o", "shEnable"), ("e", "ehEnable")])
def test_a_hierarchy_that_is_off(direct, hierarchy, enable):
    direct(f"createprimary -Q -C {hierarchy} -G ecc -c primary")
    direct(f"hierarchycontrol -Q -C p {enable} clear")
    direct(f"createprimary -Q -C {hierarchy} -G ecc -c other", fails=HIERARCHY)
    direct("readpublic -Q -c primary", fails="")  # its objects are gone
    assert re.search(rf"{enable}:\s+0", direct("getcap properties-variable"))
    direct(f"hierarchycontrol -Q -C p {enable} set")
    direct(f"createprimary -Q -C {hierarchy} -G ecc -c other")


def test_clear_and_its_control(direct):
    direct("createprimary -Q -C o -G ecc -c primary")
    direct(f"nvdefine -Q {INDEX} -C o -s 8")
    direct("evictcontrol -Q -C o -c primary 0x81000005")
    direct("readpublic -Q -c primary -o before")
    direct("clearcontrol -Q -C l s")
    direct("clear -Q -c l", fails="0x120")  # TPM_RC_DISABLED
    direct("clearcontrol -Q -C p c")
    direct("clear -Q -c l")
    assert "0x81000005" not in direct("getcap handles-persistent")
    direct(f"nvreadpublic {INDEX}", fails="0x18B")  # TPM_RC_HANDLE
    direct("createprimary -Q -C o -G ecc -c primary")
    direct("readpublic -Q -c primary -o after")
    assert direct.read("before") != direct.read("after")  # another seed


def test_changeeps_and_changepps(direct):
    for tool, hierarchy in (("changeeps", "e"), ("changepps", "p")):
        names = set()
        for _ in range(2):
            direct(f"createprimary -Q -C {hierarchy} -G ecc -c primary")
            direct("readpublic -Q -c primary -n name")
            names.add(direct.read("name"))
            direct(f"{tool} -Q")
        assert len(names) == 2


def test_dictionary_attack(direct):
    def variable():
        return direct("getcap properties-variable")

    direct("dictionarylockout -Q -s -n 3 -t 3600 -l 7200")
    shown = variable()
    assert [number(shown, p) for p in ("TPM2_PT_MAX_AUTH_FAIL", "TPM2_PT_LOCKOUT_INTERVAL",
                                         "TPM2_PT_LOCKOUT_RECOVERY")] == [3, 3600, 7200]
    direct("createprimary -Q -C o -G ecc -c primary")
    direct.write("data", b"guarded against guesses")
    direct("create -Q -C primary -i data -p right -u pub -r priv")
    direct("load -Q -C primary -u pub -r priv -c sealed")
    for tries in range(3):
        assert number(variable(), "TPM2_PT_LOCKOUT_COUNTER") == tries
        direct("unseal -c sealed -p wrong", fails=AUTH_FAIL)
    direct("unseal -c sealed -p right", fails=LOCKOUT)
    assert re.search(r"inLockout:\s+1", variable())
    direct("dictionarylockout -Q -c")
    assert number(variable(), "TPM2_PT_LOCKOUT_COUNTER") == 0
    assert direct("unseal -c sealed -p right") == "guarded against guesses"
    direct("changeauth -Q -c l lockout")
    direct("dictionarylockout -Q -c -p wrong", fails=AUTH_FAIL)
    direct("dictionarylockout -Q -c -p lockout", fails=LOCKOUT)


# ---- PCRs ----

def test_pcrs_of_all_banks(direct):
    banks = ("sha1", "sha256", "sha384", "sha512")
    direct("pcrallocate -Q sha1:all+sha256:all+sha384:all+sha512:all")
    direct("shutdown -c")
    direct.server.platform().reset()
    direct("startup -c")
    event = direct.write("event", b"what happened")
    values = {bank: bytes(hashlib.new(bank).digest_size) for bank in banks}

    def extend(digest_of):
        for bank in banks:
            values[bank] = hashlib.new(bank, values[bank] + digest_of(bank)).digest()

    def check():
        direct("pcrread -Q -o out " + "+".join(f"{bank}:16" for bank in banks))
        assert direct.read("out") == b"".join(values[bank] for bank in banks)

    check()
    direct("pcrextend 16:" + ",".join(f"{bank}={'5a' * hashlib.new(bank).digest_size}" for bank in banks))
    extend(lambda bank: b"\x5a" * hashlib.new(bank).digest_size)
    check()
    direct(f"pcrevent -Q 16 {event}")
    extend(lambda bank: hashlib.new(bank, b"what happened").digest())
    check()
    direct("pcrreset -Q 16")
    values = {bank: bytes(hashlib.new(bank).digest_size) for bank in banks}
    check()
    direct("pcrreset -Q 0", fails="0x907")  # TPM_RC_LOCALITY


def test_a_bank_that_is_not_allocated(direct):
    direct("pcrallocate -Q sha1:none+sha256:all+sha384:none+sha512:none")
    direct("shutdown -c")
    direct.server.platform().reset()
    direct("startup -c")
    assert re.search(r"sha384: \[ \]", direct("getcap pcrs"))
    assert "sha384" not in direct("pcrread sha256:0").replace("sha256", "")
    direct.write("event", b"e")
    direct("pcrextend 16:sha384=" + "11" * 48)  # a bank without registers ignores it
    direct("pcrread -Q -o out sha256:16")
    assert direct.read("out") == bytes(32)


# ---- NV ----

def define(tools, attributes, size=None, more="", hierarchy="o"):
    tools(f"nvdefine -Q {INDEX} -C {hierarchy} -a {attributes} {f'-s {size}' if size else ''} {more}")


def nv_read(tools, how="-C o"):
    tools(f"nvread -Q {INDEX} {how} -o out")
    return tools.read("out")


def test_an_ordinary_index_and_its_locks(tools):
    define(tools, "ownerread|ownerwrite|authread|authwrite|read_stclear|write_stclear", 32, "-p auth")
    tools(f"nvread -Q {INDEX} -C o", fails="0x14A")  # TPM_RC_NV_UNINITIALIZED
    tools.write("data", b"0123456789")
    tools(f"nvwrite -Q {INDEX} -C {INDEX} -P auth -i data")
    tools(f"nvwrite -Q {INDEX} -C o --offset 22 -i data")
    tools(f"nvwrite -Q {INDEX} -C o --offset 23 -i data", fails="")
    assert nv_read(tools) == b"0123456789" + b"\xff" * 12 + b"0123456789"
    tools(f"nvread -Q {INDEX} -C {INDEX} -P wrong", fails=AUTH_FAIL)
    tools("dictionarylockout -Q -c")
    tools(f"nvwritelock -Q -C o {INDEX}")
    tools(f"nvwrite -Q {INDEX} -C o -i data", fails="0x148")  # TPM_RC_NV_LOCKED
    tools(f"nvreadlock -Q -C o {INDEX}")
    tools(f"nvread -Q {INDEX} -C o", fails="0x148")
    assert re.search("readlocked", tools(f"nvreadpublic {INDEX}")) and "written" in tools(f"nvreadpublic {INDEX}")
    tools(f"nvundefine -Q -C o {INDEX}")


def test_locks_end_with_a_restart_but_for_writedefine(direct):
    direct.write("data", b"12345678")
    for attributes, locked in (("ownerread|ownerwrite|write_stclear", False), ("ownerread|ownerwrite|writedefine", True)):
        define(direct, attributes, 8)
        direct(f"nvwrite -Q {INDEX} -C o -i data")
        direct(f"nvwritelock -Q -C o {INDEX}")
        direct("shutdown -c")
        direct.server.platform().reset()
        direct("startup -c")
        direct(f"nvwrite -Q {INDEX} -C o -i data", fails="0x148" if locked else None)
        direct(f"nvundefine -Q -C o {INDEX}")
    define(direct, "ownerread|ownerwrite|globallock", 8)
    direct(f"nvwrite -Q {INDEX} -C o -i data")
    direct("nvwritelock -Q -C o --global")
    direct(f"nvwrite -Q {INDEX} -C o -i data", fails="0x148")


def test_counters_bits_and_extended_indices(tools):
    define(tools, "ownerread|ownerwrite|nt=counter")
    values = []
    for _ in range(3):
        tools(f"nvincrement -Q -C o {INDEX}")
        values.append(int.from_bytes(nv_read(tools), "big"))
    assert values == [values[0], values[0] + 1, values[0] + 2]
    tools(f"nvundefine -Q -C o {INDEX}")
    define(tools, "ownerread|ownerwrite|nt=counter")
    tools(f"nvincrement -Q -C o {INDEX}")
    assert int.from_bytes(nv_read(tools), "big") > values[-1]  # not the same number twice
    tools(f"nvundefine -Q -C o {INDEX}")

    define(tools, "ownerread|ownerwrite|nt=bits")
    for bits in (0x1, 0x8000000000000000, 0x10):
        tools(f"nvsetbits -Q -C o -i {bits:#x} {INDEX}")
    assert nv_read(tools) == bytes.fromhex("8000000000000011")
    tools(f"nvundefine -Q -C o {INDEX}")

    for bank in ("sha1", "sha256", "sha384", "sha512"):
        define(tools, "ownerread|ownerwrite|nt=extend", more=f"-g {bank}")
        want = bytes(hashlib.new(bank).digest_size)
        for data in (b"one", b"two"):
            tools.write("data", data)
            tools(f"nvextend -Q -C o -i data {INDEX}")
            want = hashlib.new(bank, want + data).digest()
        assert nv_read(tools) == want
        tools(f"nvundefine -Q -C o {INDEX}")


def test_an_index_that_is_written_by_policy_only(tools):
    tools.policy("policycommandcode 0x137")  # TPM_CC_NV_Write
    define(tools, "ownerread|policywrite|authread", 8, "-L policy")
    tools.write("data", b"12345678")
    tools(f"nvwrite -Q {INDEX} -C o -i data", fails="0x149")  # TPM_RC_NV_AUTHORIZATION
    with tools.session("policycommandcode 0x137") as s:
        tools(f"nvwrite -Q {INDEX} -C {INDEX} -P session:{s} -i data")
    assert nv_read(tools) == b"12345678"


def test_undefinespacespecial_takes_the_platform_and_the_policy(direct):
    direct.policy("policycommandcode 0x11F")  # TPM_CC_NV_UndefineSpaceSpecial
    define(direct, "ppread|ppwrite|authread|platformcreate|policydelete", 8, "-L policy", "p")
    direct(f"nvundefine -Q -C p {INDEX}", fails="")
    with direct.session("policycommandcode 0x11F") as s:
        direct(f"nvundefine -Q -C p -S {s} {INDEX}")
    direct(f"nvreadpublic {INDEX}", fails="0x18B")


def test_the_authorization_of_an_index_is_changed_by_policy(direct):
    direct.policy("policycommandcode 0x13B")  # TPM_CC_NV_ChangeAuth
    define(direct, "authread|authwrite|ownerread", 8, "-p old -L policy")
    direct.write("data", b"12345678")
    with direct.session("policycommandcode 0x13B") as s:
        direct(f"changeauth -Q -c {INDEX} -p session:{s} new")
    direct(f"nvwrite -Q {INDEX} -C {INDEX} -P old -i data", fails=AUTH_FAIL)
    direct(f"nvwrite -Q {INDEX} -C {INDEX} -P new -i data")


# ---- sessions ----

@pytest.mark.parametrize("salt", ["", "-c primary", "--tpmkey-context primary", "--bind-context primary"])
@pytest.mark.parametrize("hash_alg", ["sha1", "sha256", "sha384", "sha512"])
def test_secrets_cross_encrypted_with_sessions_of_each_hash(direct, hash_alg, salt):
    direct("createprimary -Q -C o -G ecc -c primary")
    direct.write("data", b"crosses the wire encrypted")
    direct(f"startauthsession -Q --hmac-session {salt} -g {hash_alg} -G aes -S session")
    direct("sessionconfig session --enable-encrypt --enable-decrypt")
    direct("create -Q -C primary -P session:session -i data -p auth -u pub -r priv")
    direct("load -Q -C primary -P session:session -u pub -r priv -c sealed")
    assert direct("unseal -c sealed -p session:session+auth") == "crosses the wire encrypted"
    direct("unseal -c sealed -p session:session+wrong", fails=AUTH_FAIL)
    direct("flushcontext session")


# ---- objects and contexts ----

def test_objects_are_made_persistent_and_evicted(tools):
    tools("createprimary -Q -C o -G ecc -c primary -p auth")
    tools("readpublic -Q -c primary -n name")
    tools("evictcontrol -Q -C o -c primary 0x81000010")
    assert "0x81000010" in tools("getcap handles-persistent")
    tools("readpublic -Q -c 0x81000010 -n persistent")
    assert tools.read("name") == tools.read("persistent")
    tools("evictcontrol -Q -C o -c primary 0x81000010", fails="0x14C")  # TPM_RC_NV_DEFINED
    tools("evictcontrol -Q -C o -c primary 0x81800010", fails="0x1C")  # the platform's handle
    tools("create -Q -C 0x81000010 -P auth -G ecc -u pub -r priv")
    tools("create -Q -C 0x81000010 -P wrong -G ecc -u pub -r priv", fails=AUTH_FAIL)
    tools("evictcontrol -Q -C o -c 0x81000010")
    assert "0x81000010" not in tools("getcap handles-persistent")


def test_authorization_values_of_objects_are_changed(tools):
    tools("createprimary -Q -C o -G ecc -c primary")
    tools.write("data", b"sealed")
    tools("create -Q -C primary -i data -p old -u pub -r priv")
    tools("load -Q -C primary -u pub -r priv -c sealed")
    tools("changeauth -Q -C primary -c sealed -p old -r new.priv new")
    tools("load -Q -C primary -u pub -r new.priv -c sealed")
    tools("unseal -c sealed -p old", fails=AUTH_FAIL)
    assert tools("unseal -c sealed -p new") == "sealed"


def test_contexts_outlive_a_resume_and_not_a_reset(direct):
    direct("createprimary -Q -C o -G ecc -c primary")
    for how, fails in (("", None), ("-c", "0x1DF")):  # TPM_RC_INTEGRITY
        direct(f"shutdown {how}")
        direct.server.platform().reset()
        direct(f"startup {how}")
        direct("readpublic -Q -c primary", fails=fails)


def test_a_spoilt_context_is_refused(direct):
    direct("createprimary -Q -C o -G ecc -c primary")
    saved = direct.read("primary")
    direct.write("primary", saved[:200] + bytes([saved[200] ^ 1]) + saved[201:])
    direct("readpublic -Q -c primary", fails="0x1DF")  # TPM_RC_INTEGRITY


def test_what_is_created_and_loaded_at_once(tools):
    tools("createprimary -Q -C o -G ecc -c primary")
    tools("create -Q -C primary -G ecc -c key -u pub -r priv")
    tools.write("message", b"signed by what CreateLoaded made")
    tools("sign -Q -c key -g sha256 -o sig message")
    tools("verifysignature -Q -c key -g sha256 -m message -s sig")
