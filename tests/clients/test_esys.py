"""The enhanced system API of tpm2-tss, by tpm2-pytss: sessions, encryption, audit and policies.

tpm2-tss computes each command's HMAC and checks each response's for itself, so that a call which returns has
been agreed on by both sides, in both directions.
"""
import hashlib

import pytest

tpm2_pytss = pytest.importorskip("tpm2_pytss", reason="python3-tpm2-pytss is not installed (make deps-clients)")
from tpm2_pytss import (  # noqa: E402
    ESAPI, ESYS_TR, TPM2_ALG, TPM2_CAP, TPM2_CC, TPM2_SE, TPM2B_NV_PUBLIC, TPM2B_PUBLIC, TPM2B_SENSITIVE_CREATE,
    TPML_CC, TPMA_NV, TPMA_SESSION, TPMS_NV_PUBLIC, TPMS_SENSITIVE_CREATE, TPMT_SYM_DEF, TPMU_SYM_KEY_BITS,
    TPMU_SYM_MODE, TSS2_Exception)

INDEX = 0x01500020
VALUE, AUTH_FAIL, PP, BAD_AUTH, POLICY_FAIL, EXCLUSIVE = 0x84, 0x8E, 0x90, 0xA2, 0x9D, 0x121
KEYS = {"rsa": "rsa2048:aes128cfb", "ecc": "ecc256:aes128cfb"}
STORAGE = "restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth"
KINDS = ["unsalted", "salted-rsa", "salted-ecc", "bound", "salted-ecc-bound"]


@pytest.fixture
def tpm(server):
    with ESAPI(server.tcti()) as esapi:
        yield esapi


def symmetric(kind):
    if kind == "aes":
        return TPMT_SYM_DEF(algorithm=TPM2_ALG.AES, keyBits=TPMU_SYM_KEY_BITS(aes=128),
                            mode=TPMU_SYM_MODE(aes=TPM2_ALG.CFB))
    if kind == "xor":
        return TPMT_SYM_DEF(algorithm=TPM2_ALG.XOR, keyBits=TPMU_SYM_KEY_BITS(exclusiveOr=TPM2_ALG.SHA256))
    return TPMT_SYM_DEF(algorithm=TPM2_ALG.NULL)


def primary(tpm, algorithm, auth=b"", hierarchy=ESYS_TR.NULL):
    sensitive = TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(userAuth=auth))
    handle = tpm.create_primary(sensitive, TPM2B_PUBLIC.parse(KEYS[algorithm], STORAGE), hierarchy)[0]
    tpm.tr_set_auth(handle, auth)
    return handle


def session(tpm, kind="unsalted", bind=ESYS_TR.OWNER, encryption=None, type_=TPM2_SE.HMAC, hash_alg=TPM2_ALG.SHA256):
    """A session that continues; the salting key is flushed again."""
    salt = primary(tpm, kind.split("-")[1]) if kind.startswith("salted") else ESYS_TR.NONE
    handle = tpm.start_auth_session(salt, bind if kind.endswith("bound") and kind != "unsalted" else ESYS_TR.NONE,
                                    type_, symmetric(encryption), hash_alg)
    if salt != ESYS_TR.NONE:
        tpm.flush_context(salt)
    attributes = TPMA_SESSION.CONTINUESESSION
    if encryption:
        attributes |= TPMA_SESSION.DECRYPT | TPMA_SESSION.ENCRYPT
    if type_ != TPM2_SE.TRIAL:
        tpm.trsess_set_attributes(handle, attributes)
    return handle


def define(tpm, auth=b"", attributes="ownerwrite|ownerread|authwrite|authread|no_da", policy=b"", size=16,
           hierarchy=ESYS_TR.OWNER):
    public = TPMS_NV_PUBLIC(nvIndex=INDEX, nameAlg=TPM2_ALG.SHA256, attributes=TPMA_NV.parse(attributes),
                            authPolicy=policy, dataSize=size)
    handle = tpm.nv_define_space(auth, TPM2B_NV_PUBLIC(public), hierarchy)
    tpm.tr_set_auth(handle, auth)
    return handle


def trial(tpm, *steps):
    """The digest of a policy: the steps are run in a trial session."""
    handle = session(tpm, type_=TPM2_SE.TRIAL)
    for step in steps:
        step(handle)
    digest = bytes(tpm.policy_get_digest(handle))
    tpm.flush_context(handle)
    return digest


def loaded(tpm, first):
    _, capability = tpm.get_capability(TPM2_CAP.HANDLES, first, 16)  # held, since its parts do not hold it
    handles = capability.data.handles
    return [int(handles[i]) for i in range(handles.count)]


def refused(code, call, *arguments, **others):
    """The call is refused by the TPM with a code, whatever parameter, handle or session it names."""
    with pytest.raises(TSS2_Exception) as e:
        call(*arguments, **others)
    assert e.value.rc & (0xBF if e.value.rc & 0x80 else 0xFFF) == code, hex(e.value.rc)


# ---- HMAC sessions ----

@pytest.mark.parametrize("kind", KINDS)
def test_hierarchychangeauth_answers_with_the_new_authorization(tpm, kind):
    # Not bound to the owner: tpm2-tss takes the session for bound still when the change has ended that.
    s = session(tpm, kind, bind=ESYS_TR.ENDORSEMENT)
    for auth in (b"one", b"another", b""):
        tpm.hierarchy_change_auth(ESYS_TR.OWNER, auth, session1=s)
        tpm.tr_set_auth(ESYS_TR.OWNER, auth)
    define(tpm)


def test_hierarchychangeauth_makes_the_old_authorization_useless(tpm):
    tpm.hierarchy_change_auth(ESYS_TR.OWNER, b"new", session1=session(tpm))
    tpm.tr_set_auth(ESYS_TR.OWNER, b"old")
    refused(BAD_AUTH, tpm.hierarchy_change_auth, ESYS_TR.OWNER, b"", session1=session(tpm))
    refused(BAD_AUTH, tpm.hierarchy_change_auth, ESYS_TR.OWNER, b"")


@pytest.mark.parametrize("kind", KINDS)
def test_nv_changeauth_by_a_policy_with_authvalue(tpm, kind):
    def steps(s):
        tpm.policy_command_code(s, TPM2_CC.NV_ChangeAuth)
        tpm.policy_auth_value(s)

    index = define(tpm, b"old", policy=trial(tpm, steps))
    for auth in (b"new", b"newer"):
        s = session(tpm, kind, type_=TPM2_SE.POLICY)
        steps(s)
        tpm.nv_change_auth(index, auth, session1=s)
        tpm.tr_set_auth(index, auth)
        tpm.flush_context(s)
        tpm.nv_write(index, b"0123456789abcdef", auth_handle=index, session1=session(tpm))
    tpm.tr_set_auth(index, b"old")
    refused(BAD_AUTH, tpm.nv_read, index, 16, auth_handle=index, session1=session(tpm))


@pytest.mark.parametrize("kind", KINDS)
def test_clear_answers_with_the_empty_lockout_authorization(tpm, kind):
    tpm.hierarchy_change_auth(ESYS_TR.LOCKOUT, b"lockout")
    tpm.tr_set_auth(ESYS_TR.LOCKOUT, b"lockout")
    define(tpm)
    s = session(tpm, kind, bind=ESYS_TR.LOCKOUT)
    tpm.clear(ESYS_TR.LOCKOUT, session1=s)
    tpm.tr_set_auth(ESYS_TR.LOCKOUT, b"")
    tpm.clear(ESYS_TR.LOCKOUT, session1=s)
    define(tpm)  # the first one is gone


@pytest.mark.parametrize("kind", KINDS)
def test_nv_undefinespacespecial_deletes_by_policy(tpm, kind):
    def steps(s):
        tpm.policy_auth_value(s)
        tpm.policy_command_code(s, TPM2_CC.NV_UndefineSpaceSpecial)

    index = define(tpm, b"index", "platformcreate|policy_delete|ppwrite|ppread|authread|no_da", trial(tpm, steps),
                   hierarchy=ESYS_TR.PLATFORM)
    s = session(tpm, kind, type_=TPM2_SE.POLICY)
    steps(s)
    tpm.nv_undefine_space_special(index, session1=s, platform=ESYS_TR.PLATFORM, session2=session(tpm, kind))
    define(tpm)


@pytest.mark.parametrize("kind", KINDS)
def test_sequencecomplete_and_its_sequence_is_gone(tpm, kind):
    s = session(tpm, kind)
    sequence = tpm.hash_sequence_start(b"sequence", TPM2_ALG.SHA256)
    tpm.tr_set_auth(sequence, b"sequence")
    tpm.sequence_update(sequence, b"a" * 1000, session1=s)
    digest, _ = tpm.sequence_complete(sequence, b"b", ESYS_TR.NULL, session1=s)
    assert bytes(digest) == hashlib.sha256(b"a" * 1000 + b"b").digest()
    assert not loaded(tpm, 0x80000000)


def test_flushcontext_of_a_sequence_and_of_a_session(tpm):
    sequence, s = tpm.hash_sequence_start(b"", TPM2_ALG.SHA256), session(tpm)
    assert (loaded(tpm, 0x80000000), loaded(tpm, 0x02000000)) == ([0x80000000], [0x02000000])
    tpm.flush_context(sequence)
    tpm.flush_context(s)
    assert (loaded(tpm, 0x80000000), loaded(tpm, 0x02000000)) == ([], [])


@pytest.mark.parametrize("kind", KINDS)
def test_eventsequencecomplete_with_two_sessions(tpm, kind):
    sequence = tpm.hash_sequence_start(b"event", TPM2_ALG.NULL)
    tpm.tr_set_auth(sequence, b"event")
    first, second = session(tpm, kind), session(tpm, kind)
    tpm.sequence_update(sequence, b"first ", session1=first)
    values = tpm.event_sequence_complete(ESYS_TR.PCR16, sequence, b"second", session1=first, session2=second)
    digests = {v.hashAlg: bytes(v.digest.sha256) for v in values if v.hashAlg == TPM2_ALG.SHA256}
    assert digests[TPM2_ALG.SHA256] == hashlib.sha256(b"first second").digest()


@pytest.mark.parametrize("hash_alg", [TPM2_ALG.SHA1, TPM2_ALG.SHA256, TPM2_ALG.SHA384, TPM2_ALG.SHA512])
def test_sessions_of_each_hash(tpm, hash_alg):
    index = define(tpm, b"index")
    s = session(tpm, "salted-ecc-bound", bind=index, encryption="aes", hash_alg=hash_alg)
    tpm.nv_write(index, b"0123456789abcdef", auth_handle=index, session1=s)
    assert bytes(tpm.nv_read(index, 16, auth_handle=index, session1=s)) == b"0123456789abcdef"


def test_a_session_bound_to_an_index_survives_its_first_write(tpm):
    """The first write sets WRITTEN, which is in the Name, which is in what the session is bound to."""
    index = define(tpm, b"index")
    s = session(tpm, "bound", bind=index)
    for _ in range(2):
        tpm.nv_write(index, b"0123456789abcdef", auth_handle=index, session1=s)


def test_a_wrong_authorization_is_refused(tpm):
    index = define(tpm, b"index")
    tpm.tr_set_auth(index, b"wrong")
    refused(BAD_AUTH, tpm.nv_write, index, b"x", auth_handle=index, session1=session(tpm))
    key = primary(tpm, "ecc", b"key")
    tpm.tr_set_auth(key, b"wrong")
    refused(AUTH_FAIL, tpm.create, key, TPM2B_SENSITIVE_CREATE(), "ecc256:aes128cfb", session1=session(tpm))


# ---- parameter encryption ----

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encryption", ["aes", "xor"])
def test_secrets_cross_encrypted(tpm, encryption, kind):
    parent = primary(tpm, "ecc", b"parent", ESYS_TR.OWNER)
    s = session(tpm, kind, bind=parent, encryption=encryption)
    sensitive = TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(userAuth=b"sealed", data=b"the secret itself"))
    public = TPM2B_PUBLIC.parse("keyedhash", "fixedtpm|fixedparent|userwithauth")
    private, public, *_ = tpm.create(parent, sensitive, public, session1=s)
    sealed = tpm.load(parent, private, public, session1=s)
    tpm.tr_set_auth(sealed, b"sealed")
    assert bytes(tpm.unseal(sealed, session1=s)) == b"the secret itself"
    assert bytes(tpm.unseal(sealed)) == b"the secret itself"


@pytest.mark.parametrize("encryption", ["aes", "xor"])
def test_a_second_session_only_encrypts(tpm, encryption):
    index = define(tpm, b"index")
    for first in (ESYS_TR.PASSWORD, session(tpm)):
        extra = session(tpm, "salted-ecc", encryption=encryption)
        tpm.nv_write(index, b"0123456789abcdef", auth_handle=index, session1=first, session2=extra)
        assert bytes(tpm.nv_read(index, 16, auth_handle=index, session1=first, session2=extra)) == b"0123456789abcdef"
        tpm.flush_context(extra)


@pytest.mark.parametrize("encryption", ["aes", "xor"])
def test_getrandom_and_hash_by_an_encrypting_session(tpm, encryption):
    s = session(tpm, "salted-ecc", encryption=encryption)
    tpm.trsess_set_attributes(s, TPMA_SESSION.CONTINUESESSION | TPMA_SESSION.ENCRYPT)
    assert len({bytes(tpm.get_random(32, session1=s)) for _ in range(4)}) == 4
    tpm.trsess_set_attributes(s, TPMA_SESSION.CONTINUESESSION | TPMA_SESSION.ENCRYPT | TPMA_SESSION.DECRYPT)
    digest, _ = tpm.hash(b"message", TPM2_ALG.SHA256, ESYS_TR.NULL, session1=s)
    assert bytes(digest) == hashlib.sha256(b"message").digest()


@pytest.mark.parametrize("mode", ["CTR", "OFB", "CBC", "CFB", "ECB"])
@pytest.mark.parametrize("encryption", ["aes", "xor"])
def test_data_of_a_cipher_crosses_encrypted(tpm, encryption, mode):
    """By either command, one going on with what the other answered; only the second can hide inData."""
    sensitive = TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(userAuth=b"cipher"))
    key = tpm.create_primary(sensitive, TPM2B_PUBLIC.parse("aes256", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|"
                                                           "sign|decrypt"), ESYS_TR.OWNER)[0]
    tpm.tr_set_auth(key, b"cipher")
    s = session(tpm, "salted-ecc", encryption=encryption)
    plain, alg, iv = bytes(range(64)), TPM2_ALG.parse(mode), b"" if mode == "ECB" else b"initial value 16"
    whole, _ = tpm.encrypt_decrypt_2(key, False, alg, iv, plain, session1=s)
    first, next_iv = tpm.encrypt_decrypt_2(key, False, alg, iv, plain[:16], session1=s)
    tpm.trsess_set_attributes(s, TPMA_SESSION.CONTINUESESSION | TPMA_SESSION.ENCRYPT)
    rest, _ = tpm.encrypt_decrypt(key, False, alg, next_iv, plain[16:], session1=s)
    assert bytes(first) + bytes(rest) == bytes(whole) != plain
    back, _ = tpm.encrypt_decrypt(key, True, alg, iv, whole, session1=s)
    assert bytes(back) == plain


# ---- audit ----

def test_audited_commands(tpm):
    s = session(tpm)
    tpm.trsess_set_attributes(s, TPMA_SESSION.CONTINUESESSION | TPMA_SESSION.AUDIT)
    first = tpm.pcr_read("sha256:0", session1=s)[2]
    tpm.trsess_set_attributes(s, TPMA_SESSION.CONTINUESESSION | TPMA_SESSION.AUDIT | TPMA_SESSION.AUDITEXCLUSIVE)
    assert bytes(tpm.pcr_read("sha256:0", session1=s)[2][0]) == bytes(first[0])
    tpm.pcr_read("sha256:0")  # an unaudited command ends exclusivity
    refused(EXCLUSIVE, tpm.pcr_read, "sha256:0", session1=s)


def test_an_auditing_session_beside_an_authorizing_one(tpm):
    index = define(tpm, b"index")
    audit = session(tpm, "salted-ecc")
    tpm.trsess_set_attributes(audit, TPMA_SESSION.CONTINUESESSION | TPMA_SESSION.AUDIT)
    authorizing = session(tpm)
    for _ in range(3):
        tpm.nv_write(index, b"0123456789abcdef", auth_handle=index, session1=authorizing, session2=audit)


# ---- policies ----

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["policy_auth_value", "policy_password"])
def test_unseal_by_policy_with_the_object_authorization(tpm, how, kind):
    parent = primary(tpm, "ecc", b"parent", ESYS_TR.OWNER)
    sensitive = TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(userAuth=b"sealed", data=b"the secret"))
    digest = trial(tpm, getattr(tpm, how))
    public = TPM2B_PUBLIC.parse("keyedhash", "fixedtpm|fixedparent", authPolicy=digest)
    private, public, *_ = tpm.create(parent, sensitive, public)
    sealed = tpm.load(parent, private, public)

    def unseal(auth, *steps):
        tpm.tr_set_auth(sealed, auth)
        s = session(tpm, kind, bind=parent, type_=TPM2_SE.POLICY)
        try:
            for step in steps:
                step(s)
            return bytes(tpm.unseal(sealed, session1=s))
        finally:
            tpm.flush_context(s)

    assert unseal(b"sealed", getattr(tpm, how)) == b"the secret"
    refused(POLICY_FAIL, unseal, b"sealed")
    refused(AUTH_FAIL, unseal, b"wrong", getattr(tpm, how))


def test_policysecret_by_an_hmac_session(tpm):
    tpm.hierarchy_change_auth(ESYS_TR.OWNER, b"owner")
    tpm.tr_set_auth(ESYS_TR.OWNER, b"owner")
    s = session(tpm, type_=TPM2_SE.POLICY)
    hmac = session(tpm, "salted-rsa")
    nonce = tpm.trsess_get_nonce_tpm(s)
    tpm.policy_secret(ESYS_TR.OWNER, s, nonce, b"", b"reference", -100, session1=hmac)
    tpm.tr_set_auth(ESYS_TR.OWNER, b"wrong")
    refused(BAD_AUTH, tpm.policy_secret, ESYS_TR.OWNER, s, nonce, b"", b"", 0, session1=hmac)


# ---- physical presence ----

def pp_list(tpm):
    _, capability = tpm.get_capability(TPM2_CAP.PP_COMMANDS, 0, 100)
    codes = capability.data.ppCommands
    return [int(codes[i]) for i in range(codes.count)]


def test_pp_commands(tpm, server):
    none, some = TPML_CC([]), TPML_CC([TPM2_CC.ClockRateAdjust])
    hmac = session(tpm)
    assert pp_list(tpm) == [TPM2_CC.PP_Commands]
    refused(PP, tpm.pp_commands, some, none, session1=hmac)
    with server.platform() as platform:
        assert platform.signal(3) == 0
        tpm.pp_commands(some, none, session1=hmac)
        assert pp_list(tpm) == [TPM2_CC.PP_Commands, TPM2_CC.ClockRateAdjust]
        tpm.clock_rate_adjust(0, ESYS_TR.PLATFORM, session1=hmac)
        assert platform.signal(4) == 0
    refused(PP, tpm.clock_rate_adjust, 0, ESYS_TR.PLATFORM, session1=hmac)
    tpm.clock_rate_adjust(0, ESYS_TR.OWNER, session1=hmac)


def test_policyphysicalpresence(tpm, server):
    policy = trial(tpm, tpm.policy_physical_presence)
    assert policy == hashlib.sha256(bytes(32) + TPM2_CC.PolicyPhysicalPresence.to_bytes(4, "big")).digest()
    index = define(tpm, attributes="ownerwrite|policyread", policy=policy)
    tpm.nv_write(index, b"0123456789abcdef", auth_handle=ESYS_TR.OWNER)
    s = session(tpm, type_=TPM2_SE.POLICY)
    tpm.policy_physical_presence(s)
    refused(PP, tpm.nv_read, index, 16, session1=s)
    with server.platform() as platform:
        assert platform.signal(3) == 0
        assert bytes(tpm.nv_read(index, 16, session1=s)) == b"0123456789abcdef"


def test_pcrs_have_neither_policies_nor_authorizations(tpm):
    refused(VALUE, tpm.pcr_set_auth_policy, bytes(32), TPM2_ALG.SHA256, ESYS_TR.PCR16)
    refused(VALUE, tpm.pcr_set_auth_value, ESYS_TR.PCR16, b"secret")
