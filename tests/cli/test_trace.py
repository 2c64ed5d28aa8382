"""`cvtpm trace` and `cvtpm serve --trace`: what was said to a TPM, in words."""
import contextlib
import json
import os
import random
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cvtpm_test import (CVTPM, RH_OWNER, Raw, Server, command, create_primary_rsa, get_random, password_session, pcr_extend,
                        pcr_read, run, startup, tpm2)

DIFFERENTIAL = os.environ.get("CVTPM_DIFFERENTIAL")
CHAPTERS = os.environ.get("CVTPM_CHAPTERS", "").split(":")
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

OK = bytes.fromhex("80010000000a00000000")
RANDOM = get_random(8)
RANDOM_ANSWER = bytes.fromhex("80010000001400000000000801020304a5a6a7a8")


def trace(data, *options, status=0):
    """Its standard output; `data`: bytes, or a path. Without a status: 0 or 1."""
    piped = isinstance(data, bytes)
    done = subprocess.run([CVTPM, "trace", *options, *([] if piped else [data])], input=data if piped else None,
                          capture_output=True, timeout=300)
    assert done.returncode == status or (status is None and done.returncode < 2), (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout.decode()


def objects(data, *options, status=0):
    return [json.loads(line) for line in trace(data, "--json", *options, status=status).splitlines()]


def complaint(data, *options, status=1):
    done = subprocess.run([CVTPM, "trace", *options], input=data, capture_output=True, timeout=300)
    assert done.returncode == status, done
    return done.stderr.decode()


def hex_lines(*messages):
    return "".join(m.hex() + "\n" for m in messages).encode()


def error(code):
    return struct.pack(">HII", 0x8001, 10, code)


# ---- every command ----

def table():
    with open(os.path.join(ROOT, "src", "tpm", "commands.def")) as f:
        return {"TPM2_" + name for name in re.findall(r"^COMMAND\((\w+),", f.read(), re.M)}


def refused():
    """The commands that never succeed: tests/tpm/codes.def says why."""
    with open(os.path.join(ROOT, "tests", "tpm", "codes.def")) as f:
        return {"TPM2_" + name for name in re.findall(r"^OTHERWISE\((\w+), TPM_RC_SUCCESS,", f.read(), re.M)}


def decoded(text, pairs):
    """Checks what can be said of any conversation: {names of what succeeded}, codes foretold, codes that came before them."""
    succeeded, foretold, before = set(), 0, []
    for x, (c, r) in zip(objects(text, status=None), pairs, strict=True):
        assert x["command"]["size"] == len(c) // 2 and x["response"]["size"] == len(r) // 2
        assert "malformed" not in x["response"], x
        if x["response"]["code"] == "0x0":
            succeeded.add(x["command"]["name"])
            assert "malformed" not in x["command"] and '"undecoded"' not in json.dumps(x), x
        elif "malformed" in x["command"]:
            same = x["response"]["code"] == x["command"]["malformed"]["code"]
            foretold += same
            before += [] if same else [int(x["response"]["code"], 16)]
    return succeeded, foretold, before


def test_every_command_of_real_conversations_is_decoded_to_the_last_byte(tmp_path):
    succeeded, foretold, before = set(), 0, []
    for program in CHAPTERS:
        said = tmp_path / "said"
        done = subprocess.run([program], capture_output=True, env=dict(os.environ, CVTPM_TEST_TRACE=str(said)), timeout=300)
        assert done.returncode == 0, done.stdout[-2000:]
        pairs = re.findall("^> ([0-9a-f]+)\n< ([0-9a-f]+)$", said.read_text(), re.M)
        chapter = decoded(str(said), pairs)
        said.unlink()
        succeeded |= chapter[0]
        foretold += chapter[1]
        before += chapter[2]
    assert succeeded == table() - refused()
    # What the decoder says is wrong with a command is what the engine answers, unless something before it was wrong: a handle,
    # a session, an authorisation, but no parameter.
    assert foretold > 100 and not [c for c in before if c & 0xC0 == 0xC0]


def test_spoilt_commands_and_another_engines_answers_are_decoded():
    done = subprocess.run([DIFFERENTIAL, "--seed", "3", "--commands", "1000", "--bytes"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:]
    for engine in (0, 1):
        pairs = re.findall(rf"^ {{8}}{engine} ([0-9a-f]+)\n {{7}}-> ([0-9a-f]+)$", done.stdout, re.M)
        succeeded, foretold, _ = decoded("".join(f"> {c}\n< {r}\n" for c, r in pairs).encode(), pairs)
        assert len(succeeded) > 50 and (foretold > 5 or engine == 1)


# ---- what is shown ----

def test_a_command_and_its_answer_field_by_field():
    out = trace(hex_lines(create_primary_rsa(), error(0x1C5 + 0x100)), status=0)
    for line in ("TPM2_CreatePrimary", "primaryHandle +null", "session 1 +password", "inSensitive +userAuth empty, data empty",
                 "type +TPM_ALG_RSA", "objectAttributes +fixedTPM fixedParent sensitiveDataOrigin userWithAuth sign",
                 "keyBits +2048", "< TPM_RC_HIERARCHY .0x2c5., parameter 2 .inPublic., 10 bytes"):
        assert re.search(line, out), (line, out)


@pytest.mark.parametrize("handle,name", [
    (0x40000001, "owner"), (0x4000000B, "endorsement"), (0x4000000C, "platform"), (7, "PCR 7"),
    (0x01C00002, r"NV 0x01c00002 \(EK certificate, RSA 2048\)"), (0x81000001, r"persistent 0x81000001 \(SRK\)"),
    (0x80000003, "transient 0x80000003")])
def test_handles_have_names(handle, name):
    out = trace(hex_lines(command(0x176, struct.pack(">II", 0x40000007, handle) + bytes(4) + bytes.fromhex("000010000b"))))
    assert re.search(r"bind +" + name, out), out


def test_a_handle_is_told_with_where_it_comes_from():
    start = command(0x176, struct.pack(">II", 0x40000007, 0x40000007) + b"\0\x10" + bytes(16) + bytes.fromhex("0000010010000b"))
    started = bytes.fromhex("80010000002000000000030000010010") + bytes(16)
    digest = command(0x189, struct.pack(">I", 0x03000001))
    flush = command(0x165, struct.pack(">I", 0x03000001))
    out = trace(hex_lines(start, started, digest, OK[:5] + b"\x0c" + OK[6:] + b"\0\0", flush, OK, digest, error(0x910)))
    assert "#2  TPM2_PolicyGetDigest" in out and "policy session 0x03000001 (StartAuthSession #1)" in out
    assert out.count("(StartAuthSession #1)") == 2  # not after it was flushed
    assert "TPM_RC_REFERENCE_H0 (0x910), handle 1 (policySession)" in out


def test_an_object_that_was_saved_and_loaded_again_is_told_with_where_it_came_from_at_first():
    begin, begun = command(0x186, bytes.fromhex("0000000b")), command(0, struct.pack(">I", 0x80000000))  # HashSequenceStart
    blob = struct.pack(">QIIH", 77, 0x80000000, 0x40000001, 2) + b"xx"
    save, saved = command(0x162, struct.pack(">I", 0x80000000)), command(0, blob)
    again, answer = command(0x161, blob), command(0, struct.pack(">I", 0x80000005))
    out = trace(hex_lines(begin, begun, save, saved, again, answer, command(0x173, struct.pack(">I", 0x80000005)), error(0x101)))
    assert "transient 0x80000005 (HashSequenceStart #1)" in out


@pytest.mark.parametrize("code,words", [
    (0x98E, "TPM_RC_AUTH_FAIL (0x98e), session 1"), (0x2C4, "TPM_RC_VALUE (0x2c4), parameter 2 (inPublic)"),
    (0x18B, "TPM_RC_HANDLE (0x18b), handle 1 (primaryHandle)"), (0x921, "TPM_RC_LOCKOUT (0x921)"),
    (0x100, "TPM_RC_INITIALIZE (0x100)"), (0xB018B, "TPM_RC_HANDLE (0xb018b), handle 1 (primaryHandle), from the resource manager")])
def test_response_codes_are_words(code, words):
    out = trace(hex_lines(create_primary_rsa(), error(code)))
    assert words in out
    assert re.search(r"< TPM_RC.*\n    \S", out)  # and a sentence


def test_names_of_properties_and_what_getcapability_was_asked():
    answer = bytes.fromhex("8001 0000001b 00000000 00 00000006 00000001 00000105 49424d00".replace(" ", ""))
    out = trace(hex_lines(command(0x17A, struct.pack(">III", 6, 0x105, 1)), answer))
    assert re.search("property +TPM_PT_MANUFACTURER", out) and 'TPM_PT_MANUFACTURER: "IBM"' in out


def test_commands_that_are_none_of_the_table():
    out = trace(hex_lines(command(0x20001000, b"\3"), OK, command(0x141, bytes(10)), error(0x143), command(0x1FF), error(0x143)))
    assert "vendor command 0x20001000" in out and "TPM2_FieldUpgradeData" in out and "unknown command 0x1ff" in out


def test_offsets_and_sizes_when_asked_for():
    out = trace(hex_lines(RANDOM, RANDOM_ANSWER), "--offsets", "--full")
    assert re.search("^0002 +commandSize +12$", out, re.M) and re.search("^000a +bytesRequested +8$", out, re.M)


def test_one_line_each_and_only_what_failed():
    text = hex_lines(RANDOM, RANDOM_ANSWER, RANDOM, error(0x101), RANDOM)
    assert [line.split()[0] for line in trace(text, "--brief").splitlines()] == ["#1", "#2", "#3"]
    assert "TPM2_GetRandom(8) TPM_RC_FAILURE" in trace(text, "--brief")
    assert [line.split()[0] for line in trace(text, "--brief", "--failed").splitlines()] == ["#2", "#3"]


# ---- secrets ----

SECRET = b"hushhush"


def secret_messages():
    auth = struct.pack(">H", 8) + SECRET
    change = command(0x129, struct.pack(">I", RH_OWNER) + password_session(SECRET) + auth, tag=0x8002)
    create = command(0x153, struct.pack(">I", 0x80000000) + password_session() + struct.pack(">H", 20) + auth + auth +
                     bytes.fromhex("0012 0008 000b 00000052 0000 0010 0010 0000".replace(" ", ""))[:2 + 16] + bytes(6), tag=0x8002)
    unseal = command(0x15E, struct.pack(">I", 0x80000000) + password_session(SECRET), tag=0x8002)
    body = struct.pack(">H", 8) + SECRET
    unsealed = struct.pack(">HIII", 0x8002, 14 + len(body) + 5, 0, len(body)) + body + bytes.fromhex("0000010000")
    write = command(0x137, struct.pack(">II", RH_OWNER, 0x01800001) + password_session() + auth + b"\0\0", tag=0x8002)
    return [change, OK, create, error(0x101), unseal, unsealed, write, OK, RANDOM, RANDOM_ANSWER]


def test_secrets_are_hidden_unless_they_are_asked_for():
    text = hex_lines(*secret_messages())
    for options in ((), ("--json",), ("--brief",), ("--offsets",), ("--full",)):
        hidden = trace(text, *options, status=1)
        assert SECRET.hex() not in hidden and SECRET.decode() not in hidden and "01020304a5a6a7a8" not in hidden, options
    shown = trace(text, "--json", "--secrets", status=1)
    assert shown.count(SECRET.hex()) == 7 and "01020304a5a6a7a8" in shown
    assert '"masked":true,"size":8' in trace(text, "--json", status=1)


def test_a_certificate_is_no_secret_but_other_nv_data_is():
    data = b"\0\4" + b"\x30\x82\x01\x02"
    certificate, other = (command(0x137, struct.pack(">II", RH_OWNER, index) + password_session() + data + b"\0\0", tag=0x8002)
                          for index in (0x01C00002, 0x01800002))
    out = trace(hex_lines(certificate, OK, other, OK))
    assert out.count("30820102") == 1 and out.count("*** 4 bytes") == 1


def test_what_cannot_be_decoded_is_hidden_too():
    cut = secret_messages()[0][:-3]
    text = hex_lines(struct.pack(">HI", 0x8002, len(cut)) + cut[6:])
    assert SECRET[:5].hex() not in trace(text, status=1) and SECRET[:5].hex() in trace(text, "--secrets", status=1)
    assert SECRET.hex() not in trace(hex_lines(command(0x20000000, SECRET), OK))


def test_an_encrypted_parameter_is_said_to_be_so():
    session = struct.pack(">IHBH", 0x02000000, 0, 0x61, 0)  # continueSession, decrypt, encrypt
    stir = command(0x146, struct.pack(">I", len(session)) + session + b"\0\4" + b"\xde\xad\xbe\xef", tag=0x8002)
    random8 = command(0x17B, struct.pack(">I", len(session)) + session + b"\0\x08", tag=0x8002)
    answer = struct.pack(">HIII", 0x8002, 14 + 10 + 5, 0, 10) + b"\0\x08" + b"12345678" + bytes.fromhex("0000610000")
    out = objects(hex_lines(stir, OK[:1] + b"\2" + OK[2:5] + b"\x13" + OK[6:] + bytes(4) + bytes.fromhex("0000610000"), random8, answer))
    assert out[0]["command"]["parameters"]["inData"] == {"encrypted": True, "size": 4}
    assert out[1]["command"]["parameters"] == {"bytesRequested": 8}
    assert out[1]["response"]["parameters"]["randomBytes"] == {"encrypted": True, "size": 8}
    assert re.search("inData +encrypted, 4 bytes", trace(hex_lines(stir)))


# ---- pairs ----

def test_pairs_without_marks_and_with_messages_missing():
    out = objects(hex_lines(RANDOM, RANDOM, RANDOM_ANSWER, RANDOM_ANSWER, pcr_read(0), error(0x101), command(0x181), error(0x100)))
    assert ["response" in x for x in out] == [False, True, True, True, True]
    assert ["command" in x for x in out] == [True, True, False, True, True]
    assert out[4]["command"]["name"] == "TPM2_ReadClock" and out[4]["response"]["name"] == "TPM_RC_INITIALIZE"


@pytest.mark.parametrize("line", [
    "> {}", "C: {}", "C:{}", "-> 0x{}", "[  12.345678] > {}", "2026-11-28T12:00:00.5Z C: {}", "12:34:56.789 {}", "0000: {}",
    "debug:tcti: sending 12 bytes: {}", "  {}  ", "tpm tpm0: transmit {}"])
def test_what_logs_have_in_front_of_a_command(line):
    for form in (RANDOM.hex(), RANDOM.hex().upper(), RANDOM.hex(" "), RANDOM.hex(":"), ", ".join("0x%02x" % b for b in RANDOM)):
        out = objects((line.format(form) + "\r\n").encode())
        assert len(out) == 1 and out[0]["command"]["name"] == "TPM2_GetRandom" and out[0]["line"] == 1


def dump(data, digits=4):
    """As xxd and tpm2-tss write it."""
    lines = []
    for at in range(0, len(data), 16):
        part = data[at:at + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
        shown = part.hex() if digits == 4 else " ".join(part[n:n + 2].hex() for n in range(0, len(part), 2))
        lines.append(f"{at:0{digits}x}: {shown:<{32 if digits == 4 else 39}}  {text}\n")
    return "".join(lines)


def test_dumps_are_messages_one_after_another():
    messages = secret_messages()
    assert objects(dump(b"".join(messages), 8).encode(), status=1)[-1]["command"]["name"] == "TPM2_GetRandom"
    assert [x["command"] for x in objects(dump(b"".join(messages), 8).encode(), "--secrets", status=1)] == [
        {**x["command"]} for x in objects(b"".join(messages), "--secrets", status=1)]


def test_the_log_of_tpm2_tss_in_which_answers_come_in_pieces_and_again():
    log = ("debug:tcti:src/io.c:140:xmit() Writing 5 bytes to socket 3: (size=5): \n" + dump(bytes(4) + b"\5") +
           "debug:tcti:src/io.c:140:xmit() Writing 12 bytes to socket 3: (size=12): \n" + dump(RANDOM) +
           "debug:tcti:src/io.c:76:read_all() read 10 bytes from fd 3: (size=10): \n" + dump(RANDOM_ANSWER[:10]) +
           "debug:tcti:src/io.c:76:read_all() read 10 bytes from fd 3: (size=10): \n" + dump(RANDOM_ANSWER[10:]) +
           "debug:tcti:src/tcti.c:458:receive() Response received: (size=20): \n" + dump(RANDOM_ANSWER) +
           "WARNING:esys:src/tss2-esys/api/Esys_Create.c:398: Received TPM Error \n" + dump(RANDOM) + dump(error(0x101)) + dump(error(0x101)))
    out = objects(log.encode())
    assert [(x["command"]["name"], x["response"]["name"]) for x in out] == [("TPM2_GetRandom", "TPM_RC_SUCCESS"), ("TPM2_GetRandom", "TPM_RC_FAILURE")]


def test_what_tpm2_tss_logs_of_a_real_command():
    with Server("--mssim", "127.0.0.1:0", "--startup", "clear", "--engine", "native", "--ek", "p256") as server:
        done = subprocess.run(["tpm2_getrandom", "--hex", "8"], capture_output=True, timeout=60,
                              env=dict(os.environ, TPM2TOOLS_TCTI=server.tcti(), TSS2_LOG="tcti+debug"))
    assert "TPM2_GetRandom" in [x["command"]["name"] for x in objects(done.stderr)]


def test_marks_decide():
    out = objects(f"< {RANDOM_ANSWER.hex()}\n> {RANDOM.hex()}\n> {RANDOM.hex()}\nR: {RANDOM_ANSWER.hex()}\n".encode())
    assert [(("command" in x), ("response" in x)) for x in out] == [(False, True), (True, False), (True, True)]


# ---- what is wrong ----

def test_a_malformed_command_is_shown_as_far_as_it_goes_with_the_engines_answer():
    bad = bytearray(create_primary_rsa())
    bad[10 + 4 + 13 + 6 + 2 + 1] = 0x77  # inPublic.type
    out = trace(hex_lines(bytes(bad)), status=1)
    assert re.search("primaryHandle +null", out) and "this engine answers TPM_RC_TYPE (0x2ca), parameter 2 (inPublic)" in out
    assert f"offset {10 + 4 + 13 + 6 + 2}, inPublic.type" in out
    fault = objects(hex_lines(bytes(bad)), status=1)[0]["command"]["malformed"]
    assert (fault["code"], fault["field"], fault["offset"]) == ("0x2ca", "inPublic.type", 35)
    with Server("--tcp", "127.0.0.1:0", "--startup", "clear", "--engine", "native", "--ek", "p256") as server, server.raw() as tpm:
        assert tpm.transact(bytes(bad))[6:] == bytes.fromhex("000002ca")


def test_lines_that_are_not_understood_are_named_and_the_rest_is_shown():
    text = b"# a comment\n\n" + hex_lines(RANDOM) + b"nonsense\n" + hex_lines(RANDOM_ANSWER) + b"8001 zz\n12 34\n"
    said = complaint(text)
    assert re.findall(r"line (\d+)", said) == ["4", "6", "7"] and "nonsense" in said
    assert len(objects(text, status=1)) == 1


@pytest.mark.parametrize("data,words", [
    (b"\xff\xfe\xfd\xfc", "neither"), (b"", "no TPM traffic"), (b"\n\n", "no TPM traffic"),
    (b"\x0a\x0d\x0d\x0a" + bytes(40), "within a block"), (RANDOM + b"\x12\x34", "byte 12"), (b"\xd4\xc3\xb2\xa1" + bytes(10), "within its header"),
    (b"\xd4\xc3\xb2\xa1" + bytes(16) + struct.pack("<I", 999), "link type"),
    (b"\x80\1\xff\xff\xff\xff" + bytes(40), "byte 0"), (b"a" * 200000, "longer than any message")],
    ids=["garbage", "empty", "blank", "pcapng", "lost", "cut", "link", "huge", "long"])
def test_what_is_no_traffic_is_a_complaint(data, words):
    assert words in complaint(data)


def test_usage_and_faults():
    assert complaint(b"", "--port", "70000", status=2) and complaint(b"", "--json", "--brief", status=2)
    assert "No such file" in run("trace", "/nonexistent").stderr and run("trace", "/nonexistent").returncode == 2
    assert run("trace", "/").returncode == 2
    full = subprocess.run(f"'{CVTPM}' trace >/dev/full", shell=True, input=hex_lines(RANDOM), capture_output=True, timeout=60)
    assert full.returncode == 2 and b"cannot write" in full.stderr


def test_no_input_is_too_strange():
    rng = random.Random(7)
    good = pcap([frame(RANDOM, 50000, 2321), frame(RANDOM_ANSWER, 2321, 50000)])
    seeds = [hex_lines(*secret_messages()), b"".join(secret_messages()), good]
    for n in range(60):
        data = bytearray(seeds[n % 3])
        for _ in range(rng.randrange(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        done = subprocess.run([CVTPM, "trace", "--json"], input=bytes(data[:rng.randrange(1, len(data) + 1)]), capture_output=True,
                              timeout=60)
        assert done.returncode in (0, 1), done
        for line in done.stdout.splitlines():
            json.loads(line)


# ---- packet captures ----

def frame(data, source, target, sequence=1, link=1, flags=0x18, vlan=False, ipv6=False):
    tcp = struct.pack(">HHIIBBHHH", source, target, sequence, 1, 0x50, flags, 1024, 0, 0) + data
    if ipv6:
        ip = struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64) + bytes(15) + b"\1" + bytes(15) + b"\1" + tcp
    else:
        ip = struct.pack(">BBHIBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 64, 6, 0, b"\x7f\0\0\1", b"\x7f\0\0\1") + tcp
    kind = b"\x86\xdd" if ipv6 else b"\x08\0"
    return {1: bytes(12) + (b"\x81\0\0\7" if vlan else b"") + kind, 101: b"", 113: bytes(14) + kind, 276: kind + bytes(18),
            0: b"\2\0\0\0"}[link] + ip


def pcap(frames, order="<", nano=False, link=1, snap=None):
    out = struct.pack(order + "IHHIIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
    for n, f in enumerate(frames):
        kept = f[:snap]
        out += struct.pack(order + "IIII", 1700000000, n * (1000000 if nano else 1000), len(kept), len(f)) + kept
    return out


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("nano", [False, True])
@pytest.mark.parametrize("link", [0, 1, 101, 113, 276])
def test_captures_of_every_kind(order, nano, link):
    frames = [frame(RANDOM, 50000, 2321, link=link), frame(RANDOM_ANSWER, 2321, 50000, link=link)]
    x, = objects(pcap(frames, order, nano, link))
    assert x["command"]["name"] == "TPM2_GetRandom" and x["response"]["name"] == "TPM_RC_SUCCESS"
    assert x["took_us"] == 1000 and x["time"] == "2023-11-14T22:13:20.000000Z" and x["where"] == "127.0.0.1:50000"


def pcapng(frames, order, unit=None, link=1):
    """A section, an interface that is none of IP, one with frames; and blocks that nobody knows."""
    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)
    options = b"" if unit is None else struct.pack(order + "HHBxxxHH", 9, 1, unit, 0, 0)
    per_second = {None: 10 ** 6, 9: 10 ** 9, 0x8A: 1024}[unit]
    out = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(1, struct.pack(order + "HHI", 195, 0, 0)) + block(1, struct.pack(order + "HHI", link, 0, 0) + options) + block(0x0BAD, b"x")
    for n, f in enumerate(frames):
        time = 1700000000 * per_second + n * per_second // 8
        out += block(6, struct.pack(order + "IIIII", 1, time >> 32, time & 0xFFFFFFFF, len(f), len(f)) + f)
    return out


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("unit", [None, 9, 0x8A])
def test_captures_in_blocks(order, unit):
    data = pcapng([frame(RANDOM, 50000, 2321), frame(RANDOM_ANSWER, 2321, 50000)], order, unit)
    x, = objects(data)
    assert x["took_us"] == 125000 and x["time"] == "2023-11-14T22:13:20.000000Z" and x["response"]["name"] == "TPM_RC_SUCCESS"
    x, x2 = objects(data + pcapng([frame(RANDOM, 50001, 2321)], "<" if order == ">" else ">"))  # another section
    assert "response" not in x2
    assert "within a block" in complaint(data[:-3])


def test_connections_on_any_port_in_pieces_sent_again_and_through_ipv6_and_vlans():
    frames = [frame(b"", 40000, 9999, 99, flags=2), frame(RANDOM[:5], 40000, 9999, 100), frame(RANDOM[:5], 40000, 9999, 100),
              frame(RANDOM[3:], 40000, 9999, 103), frame(RANDOM_ANSWER[:11], 9999, 40000, 7), frame(RANDOM_ANSWER[11:], 9999, 40000, 18),
              frame(b"GET / HTTP/1.1\r\n\r\n", 40001, 80), frame(RANDOM, 40002, 2322, vlan=True), frame(RANDOM_ANSWER, 2322, 40002, vlan=True),
              frame(RANDOM, 40003, 2321, ipv6=True), frame(error(0x101), 2321, 40003, ipv6=True), b"\0" * 5, b""]
    out = objects(pcap(frames))
    assert [x["response"]["name"] for x in out] == ["TPM_RC_SUCCESS", "TPM_RC_SUCCESS", "TPM_RC_FAILURE"]
    assert out[2]["where"] == "[::1]:40003"


def test_the_simulators_protocol_in_the_pieces_that_its_clients_send():
    frames, at, back = [], 1, 1
    for data, answers in ((struct.pack(">I", 8), ()), (b"\3" + struct.pack(">I", len(RANDOM)), ()),
                          (RANDOM, (struct.pack(">I", len(RANDOM_ANSWER)), RANDOM_ANSWER, bytes(4)))):
        frames.append(frame(data, 50000, 2321, at))
        at += len(data)
        for answer in answers:
            frames.append(frame(answer, 2321, 50000, back))
            back += len(answer)
    frames += [frame(struct.pack(">I", 17), 50001, 2322), frame(bytes(4), 2322, 50001)]
    x, event = objects(pcap(frames))
    assert x["locality"] == 3 and x["response"]["parameters"]["randomBytes"]["masked"]
    assert event == {"event": "127.0.0.1:50001: SIGNAL_RESET"}
    assert "SIGNAL_RESET" in trace(pcap(frames))


def test_what_a_capture_lacks_is_said():
    lost = [frame(RANDOM, 50000, 2321), frame(RANDOM_ANSWER[:12], 2321, 50000), frame(RANDOM_ANSWER, 2321, 50000, 40),
            frame(RANDOM, 50000, 2321, 13), frame(RANDOM_ANSWER, 2321, 50000, 60)]
    assert "frame 3, 127.0.0.1:50000: bytes before it are missing" in complaint(pcap(lost))
    assert len(objects(pcap(lost), status=1)) == 2
    assert "has not all bytes" in complaint(pcap([frame(RANDOM, 50000, 2321)], snap=60))
    assert "within a frame" in complaint(pcap([frame(RANDOM, 50000, 2321)])[:-3])
    assert "no connection" in complaint(pcap([frame(b"hello, there", 50000, 8080)]))


# ---- serve --trace ----

def reordered(data):
    """The same capture written on a machine of the other byte order."""
    out, at = struct.pack("<IHHIIII", *struct.unpack(">IHHIIII", data[:24])), 24
    while at < len(data):
        head = struct.unpack(">IIII", data[at:at + 16])
        out += struct.pack("<IIII", *head) + data[at + 16:at + 16 + head[2]]
        at += 16 + head[2]
    return out


def exchanges(path):
    return [x for x in objects(str(path)) if "number" in x]


@contextlib.contextmanager
def serving(tmp_path, *options):
    path = tmp_path / "tpm.pcap"
    with Server("--mssim", "127.0.0.1:0", "--engine", "native", "--ek", "p256", "--trace", path, *options) as server:
        server.trace = path
        yield server


def test_what_tpm2_tools_say_is_kept_and_told_without_their_secrets(tmp_path):
    with serving(tmp_path) as server:
        tcti = server.tcti()
        tpm2("startup", "-c", tcti=tcti)
        tpm2("createprimary", "-C", "o", "-G", "ecc", "-p", "parentpw", "-c", tmp_path / "p", tcti=tcti)
        (tmp_path / "data").write_text("sealedsecret")
        tpm2("create", "-C", tmp_path / "p", "-P", "parentpw", "-i", tmp_path / "data", "-u", tmp_path / "u", "-r", tmp_path / "r",
             "-p", "itempw", tcti=tcti)
        tpm2("load", "-C", tmp_path / "p", "-P", "parentpw", "-u", tmp_path / "u", "-r", tmp_path / "r", "-c", tmp_path / "k", tcti=tcti)
        assert tpm2("unseal", "-c", tmp_path / "k", "-p", "itempw", tcti=tcti).stdout == "sealedsecret"
        assert tpm2("unseal", "-c", tmp_path / "k", "-p", "wrongpw", tcti=tcti, check=False).returncode
        tpm2("startauthsession", "--hmac-session", "-c", tmp_path / "p", "-S", tmp_path / "s", tcti=tcti)
        tpm2("sessionconfig", tmp_path / "s", "--enable-encrypt", "--enable-decrypt", tcti=tcti)
        assert tpm2("unseal", "-c", tmp_path / "k", "-p", f"session:{tmp_path / 's'}+itempw", tcti=tcti, check=False).stdout in ("sealedsecret", "")
        tpm2("quote", "-c", tmp_path / "p", "-l", "sha256:0", tcti=tcti, check=False)
        assert stat.S_IMODE(os.stat(server.trace).st_mode) == 0o600
        assert "passwords and other secrets are zeros" in server.stderr
    data = server.trace.read_bytes()
    for secret in (b"parentpw", b"itempw", b"wrongpw", b"sealedsecret"):
        assert secret not in data
    out = exchanges(server.trace)
    assert {"TPM2_Startup", "TPM2_CreatePrimary", "TPM2_Create", "TPM2_Load", "TPM2_Unseal", "TPM2_StartAuthSession"} <= {
        x["command"]["name"] for x in out}
    assert '"undecoded"' not in json.dumps(out) and all("response" in x and x["where"].startswith("mssim") for x in out)
    failed = [x for x in out if x["response"]["name"] == "TPM_RC_AUTH_FAIL"]
    assert failed and failed[0]["response"]["about"] == "session 1"
    assert objects(reordered(data)) == objects(str(server.trace))
    # Packets are appended, and what a process left unfinished goes.
    server.trace.write_bytes(data[:-5])
    with serving(tmp_path) as server:
        tpm2("startup", "-c", tcti=server.tcti())
    after = server.trace.read_bytes()
    assert len(exchanges(server.trace)) == len(out) + 1 and after[:len(data) - 100] == data[:-100]


def test_an_encrypting_session_of_tpm2_tools(tmp_path):
    with serving(tmp_path, "--startup", "clear") as server:
        tcti = server.tcti()
        tpm2("createprimary", "-C", "o", "-G", "ecc", "-c", tmp_path / "p", tcti=tcti)
        tpm2("startauthsession", "--hmac-session", "-c", tmp_path / "p", "-S", tmp_path / "s", tcti=tcti)
        tpm2("sessionconfig", tmp_path / "s", "--enable-encrypt", tcti=tcti)
        assert len(tpm2("getrandom", "-S", tmp_path / "s", "--hex", "16", tcti=tcti).stdout) == 32
    x, = [x for x in exchanges(server.trace) if x["command"]["name"] == "TPM2_GetRandom" and x["command"]["sessions"]]
    assert x["response"]["parameters"]["randomBytes"] == {"encrypted": True, "size": 16}


def test_secrets_are_kept_when_asked_for(tmp_path):
    with serving(tmp_path, "--startup", "clear", "--trace-secrets") as server:
        assert "passwords and other secrets included" in server.stderr
        server.mssim().transact(secret_messages()[0])
    assert server.trace.read_bytes().count(SECRET) == 2
    assert SECRET.hex() not in trace(str(server.trace)) and SECRET.hex() in trace(str(server.trace), "--secrets")


def test_every_door_is_in_it(tmp_path):
    page, unix, ctrl = tmp_path / "page", tmp_path / "sock", tmp_path / "ctrl"
    with serving(tmp_path, "--startup", "clear", "--crb-page", page, "--tcp", "127.0.0.1:0", "--unix", unix, "--ctrl", f"unix:{ctrl}") as server:
        with socket.socket(socket.AF_UNIX) as control:
            ours, theirs = socket.socketpair()
            control.connect(str(ctrl))
            socket.send_fds(control, [struct.pack(">I", 0x10)], [theirs.fileno()])  # SET_DATAFD
            assert control.recv(4) == bytes(4)
            assert Raw(ours).pcr_read(1)
            assert server.raw().pcr_read(2) and server.unix(unix).pcr_read(3)
            assert server.mssim().transact(pcr_read(4), locality=2) and server.mssim().transact(pcr_read(5), locality=9)[6:] == struct.pack(">I", 0x907)
        done = subprocess.run([CVTPM, "crb-client", "--crb-page", page], input=pcr_read(6), capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
    seen = {x["command"]["parameters"]["pcrSelectionIn"][0]["pcrSelect"][0]: (x["where"].rsplit(" ", 1)[0], x["locality"], x["response"]["name"])
            for x in exchanges(server.trace) if x["command"]["name"] == "TPM2_PCR_Read"}
    good = "TPM_RC_SUCCESS"
    assert seen == {1: ("control", 0, good), 2: ("socket", 0, good), 3: ("socket", 0, good), 4: ("mssim", 2, good),
                    5: ("mssim", 9, "TPM_RC_LOCALITY"), 6: ("CRB page", 0, good)}


def test_power_and_resets_are_in_it_and_end_what_was_loaded(tmp_path):
    with serving(tmp_path) as server:
        tpm, platform = server.mssim(), server.platform()
        tpm.startup()
        begun = tpm.transact(command(0x186, bytes.fromhex("0000000b")))  # HashSequenceStart
        platform.reset()
        tpm.startup()
        tpm.transact(command(0x173, begun[10:14]))
        platform.power_off()
        platform.power_on()
    out = trace(str(server.trace), "--brief")
    assert re.findall(r"TPM2_\w+|SIGNAL_\w+", out) == ["TPM2_Startup", "TPM2_HashSequenceStart", "SIGNAL_RESET", "TPM2_Startup", "TPM2_ReadPublic",
                                                      "SIGNAL_POWER_OFF", "SIGNAL_POWER_ON"]
    assert "-- the platform: SIGNAL_RESET" in out and "(HashSequenceStart #" not in out


def test_physical_presence_is_in_it_and_ends_nothing(tmp_path):
    with serving(tmp_path) as server:
        tpm, platform = server.mssim(), server.platform()
        tpm.startup()
        begun = tpm.transact(command(0x186, bytes.fromhex("0000000b")))  # HashSequenceStart
        assert platform.signal(3) == 0
        tpm.transact(command(0x173, begun[10:14]))
        assert platform.signal(4) == 0
    out = trace(str(server.trace), "--brief")
    assert re.findall(r"TPM2_\w+|SIGNAL_\w+", out) == ["TPM2_Startup", "TPM2_HashSequenceStart", "SIGNAL_PHYS_PRES_ON", "TPM2_ReadPublic",
                                                      "SIGNAL_PHYS_PRES_OFF"]
    assert "(HashSequenceStart #" in out


def test_a_trace_that_cannot_be_made_is_an_error_at_the_start(tmp_path):
    (tmp_path / "other").write_text("not a capture")
    (tmp_path / "other").chmod(0o600)
    for path, words in ((tmp_path / "other", "is no file that --trace has written"), (tmp_path, "directory"), ("/dev/full", "no regular file")):
        done = run("serve", "--tcp", "127.0.0.1:0", "--trace", path)
        assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "other").read_text() == "not a capture"
    assert run("serve", "--tcp", "127.0.0.1:0", "--trace-secrets").returncode == 2


def test_a_full_disk_stops_nobody_and_is_told(tmp_path):
    import resource
    import signal

    def little():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    path = tmp_path / "t.pcap"
    with Server("--tcp", "127.0.0.1:0", "--startup", "clear", "--engine", "native", "--ek", "p256", "--trace", path, preexec_fn=little) as server:
        tpm = server.raw()
        for _ in range(50):
            assert tpm.get_random(8)
        assert "cannot be written" in server.stderr
        assert server.stop() == 0
        assert re.search(r"\d+ frames are missing in the trace", server.stderr)
    assert path.stat().st_size <= 2000 and len(objects(str(path))) > 3


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed: Wireshark's dissector is not asked")
def test_wiresharks_dissector_reads_it(tmp_path):
    with serving(tmp_path, "--startup", "clear", "--tcp", "127.0.0.1:0") as server:
        tpm = server.raw()
        tpm.pcr_read(0)
        tpm.pcr_extend(16, bytes(32))
        server.mssim().transact(create_primary_rsa())
    done = subprocess.run(["tshark", "-r", server.trace, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-T", "fields", "-e",
                           "tpm.req.cc", "-e", "tpm.resp.rc", "-e", "ip.checksum.status", "-e", "tcp.checksum.status", "-e", "tcp.analysis.flags",
                           "-e", "_ws.malformed"], capture_output=True, text=True, timeout=120)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    rows = [row for row in rows if row[0] or row[1]]  # connections begin with a SYN
    commands = [int(row[0], 16) for row in rows[::2]]
    assert commands == [0x17E, 0x182, 0x131] and [int(row[1], 16) for row in rows[1::2]] == [0, 0, 0]
    assert all(row[2:] == ["1", "1", "", ""] for row in rows), rows
