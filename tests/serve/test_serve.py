"""`cvtpm serve` and `cvtpm manufacture` as a user meets them: the real program, its sockets, its ends."""
import os
import pathlib
import resource
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cvtpm_test as ct  # noqa: E402

QUICK = ("--ek", "p256")  # an ephemeral TPM that is made quickly
TCP = ("--tcp", "127.0.0.1:0")
MSSIM = ("--mssim", "127.0.0.1:0")


@pytest.fixture(scope="module")
def manufactured(tmp_path_factory):
    """A state folder with a TPM in it, to be copied."""
    state = tmp_path_factory.mktemp("made") / "state"
    result = ct.run("manufacture", "--state", state, *QUICK)
    assert result.returncode == 0, result.stderr
    return state


@pytest.fixture
def state(manufactured, tmp_path):
    copy = tmp_path / "state"
    subprocess.run(["cp", "-a", str(manufactured), str(copy)], check=True)
    return copy


@pytest.fixture(scope="module")
def shared():
    """A running TPM for tests that leave it as it was."""
    with ct.Server(*TCP, *MSSIM, *QUICK, "--startup", "clear") as server:
        yield server


def one_line(result, status=2):
    """The one line of standard error that says why."""
    assert result.returncode == status, (result.returncode, result.stderr)
    assert result.stdout == "", result.stdout
    lines = [line for line in result.stderr.splitlines()
             if "no TEE evidence" not in line and "warning:" not in line]
    assert lines, result.stderr
    return lines[-1]


# ---- arguments ----

@pytest.mark.parametrize("arguments, says", [
    ((), "a command is missing"),
    (("frobnicate",), "'frobnicate' is not a command"),
    (("--frobnicate",), "'--frobnicate' is not a command"),
    (("serve",), "nothing to serve on"),
    (("serve", "--frobnicate"), "unrecognized option"),
    (("serve", "--tcp", "127.0.0.1:0", "extra"), "'extra' is not expected"),
    (("serve", "--tcp", "127.0.0.1:0", "--engine", "abacus"), "no such engine"),
    (("serve", "--tcp", "127.0.0.1:0", "--ek", "p256,rot13"),
     "--ek=p256,rot13: write a list of rsa2048,p256,p384,rsa3072"),
    (("serve", "--tcp", "127.0.0.1:0", "--ek", ""), "--ek="),
    (("serve", "--tcp", "127.0.0.1:0", "--pcr-banks", "md5"), "--pcr-banks=md5: write a list of sha1,"),
    (("serve", "--tcp", "127.0.0.1:0", "--startup", "maybe"), "--startup=maybe"),
    (("serve", "--tcp", "127.0.0.1:0", "--startup", "state"), "needs --state"),
    (("serve", "--tcp", "127.0.0.1:0", "--localities", "0-3"), "need --crb-page"),
    (("serve", "--crb-page", "/nonexistent/p", "--localities", "0-4"), "--localities=0-4"),
    (("serve", "--crb-page", "/nonexistent/p", "--localities", "3-1"), "--localities=3-1"),
    (("serve", "--crb-page", "/nonexistent/p", "--localities", "00"), "--localities=00"),
    (("serve", "--crb-page", "/nonexistent/p", "--offset", "-4096"), "--offset=-4096"),
    (("serve", "--tcp", "127.0.0.1:0", "--ready-fd", "987"), "is not open"),
    (("serve", "--tcp", "127.0.0.1:0", "--ready-fd", "x"), "--ready-fd=x"),
    (("serve", "--tcp", "127.0.0.1:0", "--seal", "snp"), "--seal needs --state"),
    (("serve", "--tcp", "127.0.0.1:0", "--lab-dir", "/tmp"), "--lab-dir needs --lab"),
    (("serve", "--tcp", "127.0.0.1:0", "--platform-auth", "1234"), "--platform-auth=1234"),
    (("manufacture",), "--state DIR is missing"),
    (("manufacture", "--state", "/nonexistent", "--seal", "wax"), "--seal=wax"),
])
def test_wrong_usage_is_told_and_exits_2(arguments, says):
    result = ct.run(*arguments)
    assert result.returncode == 2
    assert says in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("arguments, says", [
    (("--help",), "cvtpm serve"),
    (("serve", "--help"), "--mssim 127.0.0.1:2321"),
    (("manufacture", "--help"), "cvtpm manufacture --state"),
])
def test_help_shows_an_example(arguments, says):
    result = ct.run(*arguments)
    assert result.returncode == 0
    assert says in result.stdout


def test_version_names_program_engine_and_crypto():
    result = ct.run("--version")
    assert result.returncode == 0
    assert result.stdout.startswith("cvtpm ")
    assert "engine libtpms: libtpms 0." in result.stdout
    assert "crypto: wolf" in result.stdout


# ---- addresses ----

@pytest.mark.parametrize("address, says", [
    ("2321", "is not an address"),
    (":2321", "is not an address"),
    ("127.0.0.1:", "no port"),
    ("127.0.0.1:65536", "no port"),
    ("127.0.0.1:-1", "no port"),
    ("127.0.0.1:1x", "no port"),
    ("0.0.0.0:0", "not a loopback address"),
    ("[::]:0", "not a loopback address"),
])
def test_a_bad_address_is_refused(address, says):
    assert says in one_line(ct.run("serve", "--tcp", address, *QUICK))


def test_mssim_needs_a_port_above():
    assert "no port above" in one_line(ct.run("serve", "--mssim", "127.0.0.1:65535", *QUICK))


def test_other_addresses_are_served_when_asked_for_by_name():
    with ct.Server("--tcp", "0.0.0.0:0", "--insecure-listen", *QUICK) as server:
        assert server.address("tcp")[0] == "0.0.0.0"


@pytest.mark.parametrize("option", ["--tcp", "--mssim"])
def test_a_port_in_use_is_named(option):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = one_line(ct.run("serve", option, f"127.0.0.1:{port}", *QUICK))
        assert f"port {port}" in line and "in use" in line


def test_the_platform_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = one_line(ct.run("serve", "--mssim", f"127.0.0.1:{port - 1}", *QUICK))
        assert "in use" in line and str(port) in line


# ---- files and their modes ----

def test_sockets_and_pages_are_private_whatever_the_umask(tmp_path):
    sock, page = tmp_path / "s", tmp_path / "p"
    with ct.Server("--unix", sock, "--crb-page", page, *QUICK, "--startup", "clear",
                   preexec_fn=lambda: os.umask(0)) as server:
        assert stat.S_IMODE(sock.stat().st_mode) == 0o600
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        assert page.stat().st_size == 2 << 20
        assert len(server.unix(sock).get_random(8)) == 8
        assert server.stop() == 0
    assert not sock.exists()


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path):
    sock = tmp_path / "s"
    with ct.Server("--unix", sock, *QUICK) as server:
        server.kill()
    assert sock.exists()
    with ct.Server("--unix", sock, *QUICK, "--startup", "clear") as server:
        line = one_line(ct.run("serve", "--unix", sock, *QUICK))
        assert str(sock) in line and "in use" in line
        assert len(server.unix(sock).get_random(8)) == 8


def test_a_file_in_the_sockets_place_stays(tmp_path):
    (tmp_path / "s").write_text("mine")
    assert "is not a socket" in one_line(ct.run("serve", "--unix", tmp_path / "s", *QUICK))
    assert (tmp_path / "s").read_text() == "mine"


def test_a_socket_where_none_can_be_is_refused(tmp_path):
    assert "No such file" in one_line(ct.run("serve", "--unix", tmp_path / "no" / "s", *QUICK))
    assert "characters" in one_line(ct.run("serve", "--unix", tmp_path / ("s" * 120), *QUICK))


def test_another_servers_socket_is_not_removed_at_the_end(tmp_path):
    sock = tmp_path / "s"
    with ct.Server("--unix", sock, *QUICK) as server:
        sock.unlink()
        with ct.Server("--unix", sock, *QUICK):
            assert server.stop() == 0
            assert sock.exists()


def test_a_bad_page_is_refused(tmp_path):
    short = tmp_path / "short"
    short.write_bytes(bytes(4095))
    assert "4095 bytes and 4096 are needed" in one_line(ct.run("serve", "--crb-page", short, *QUICK))
    assert short.stat().st_size == 4095
    assert "is not a file" in one_line(ct.run("serve", "--crb-page", "/dev/null", *QUICK))
    assert "cannot be opened" in one_line(ct.run("serve", "--crb-page", tmp_path, *QUICK))
    assert "cannot be made" in one_line(ct.run("serve", "--crb-page", tmp_path / "no" / "p", *QUICK))
    assert "multiple of 4096" in one_line(ct.run("serve", "--crb-page", short, "--offset", 100, *QUICK))


def test_a_page_in_use_is_refused(tmp_path):
    page = tmp_path / "p"
    with ct.Server("--crb-page", page, *QUICK):
        assert "served by another process" in one_line(ct.run("serve", "--crb-page", page, *QUICK))


def test_a_page_that_was_never_served_does_not_stay(tmp_path):
    page = tmp_path / "p"
    one_line(ct.run("serve", "--crb-page", page, "--state", tmp_path / "none", *QUICK))
    assert not page.exists()
    with ct.Server("--crb-page", page, *QUICK) as server:  # and so its next server is its first
        assert "failure mode" not in server.ready
        assert server.stop() == 0
        assert page.exists()


def test_a_page_has_its_room_before_it_is_served(tmp_path):
    page = tmp_path / "p"
    with ct.Server("--crb-page", page, "--localities", "3", *QUICK):
        assert page.stat().st_size == 2 << 20
        assert page.stat().st_blocks * 512 >= 4 * 4096  # localities 0 to 2 are not written to


def test_a_page_that_is_truncated_ends_its_server_with_a_line(tmp_path):
    page = tmp_path / "p"
    with ct.Server("--crb-page", page, *QUICK) as server:
        os.truncate(page, 0)
        assert server.wait() == 2
        assert "was truncated" in server.stderr.splitlines()[-1]


# ---- ready ----

def test_ready_says_that_the_tpm_waits_for_startup_and_how_to_send_it():
    with ct.Server(*TCP, *MSSIM, *QUICK) as server:
        assert "TPM2_Startup" in server.ready and "tpm2_startup -c" in server.ready
        assert server.raw().code(ct.get_random(8)) == ct.RC_INITIALIZE
        ct.tpm2("startup", "-c", tcti=server.tcti())
        assert len(server.raw().get_random(8)) == 8


def test_ready_fd_is_written_once_and_closed():
    reader, writer = os.pipe()
    with ct.Server(*TCP, *QUICK, "--startup", "clear", "--ready-fd", writer, pass_fds=(writer,)) as server:
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            assert pipe.read() == b"ready\n"  # to its end: the server has closed it
        assert "started" in server.ready


def test_a_tpm_without_evidence_says_so():
    with ct.Server(*TCP, *QUICK) as server:
        assert server.stderr.count("carries no TEE evidence") == 1


def test_a_lab_says_lab(tmp_path):
    with ct.Server(*TCP, *QUICK, "--lab", "--lab-dir", tmp_path / "lab") as server:
        assert "LAB" in server.stderr
        assert "carries no TEE evidence" not in server.stderr
        assert (tmp_path / "lab" / "ark.pem").exists()
        lines = server.stderr.splitlines()
        making, made = (next(n for n, line in enumerate(lines) if word in line)
                        for word in ("making a LAB", "made a LAB"))
        assert making < made  # it takes seconds, and is announced


def test_a_lab_that_cannot_be_used_is_told_in_one_line(tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir(mode=0o700)
    (broken / "chip").write_text("no chip")
    (tmp_path / "file").write_text("")
    for folder, says in ((broken, "remove the folder"), (tmp_path / "file", "name another one")):
        result = ct.run("serve", *TCP, "--lab", "--lab-dir", folder)
        assert says in one_line(result)
        assert len([line for line in result.stderr.splitlines() if "warning:" not in line]) == 1
    result = ct.run("serve", *TCP, "--lab", env={"HOME": "", "XDG_STATE_HOME": ""})
    assert "--lab-dir" in one_line(result)


# ---- raw clients ----

def test_clients_take_turns(shared):
    clients = [shared.raw() for _ in range(12)]
    for turn in range(20):
        for client in clients:
            client.send(ct.get_random(16 + turn))
        seen = {client.receive()[12:] for client in reversed(clients)}
        assert len(seen) == len(clients) and {len(s) for s in seen} == {16 + turn}


def test_a_client_with_half_a_command_stops_nobody(shared):
    half = shared.raw()
    half.send(ct.get_random(8)[:7])
    assert len(shared.raw().get_random(8)) == 8
    half.send(ct.get_random(8)[7:])
    assert len(half.receive()) == 20


@pytest.mark.parametrize("size", [0, 9, 4097, 0x7FFFFFFF, 0xFFFFFFFF])
def test_an_impossible_size_is_answered_and_ends_the_connection(shared, size):
    client = shared.raw()
    client.send(struct.pack(">HII", 0x8001, size, 0x17B) + bytes(3000))
    assert ct.response_code(client.receive()) == ct.RC_COMMAND_SIZE
    assert client.at_end()
    assert len(shared.raw().get_random(8)) == 8


def ended(client):
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("limit, count", [(24, 60), (1024, 200)])
def test_clients_too_many_are_turned_away_with_one_line(limit, count):
    def few_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    with ct.Server(*TCP, *QUICK, "--startup", "clear", preexec_fn=few_descriptors) as server:
        clients = [socket.create_connection(server.address("tcp"), timeout=ct.LIMIT) for _ in range(count)]
        assert len(ct.Raw(clients[0]).get_random(8)) == 8
        away, _, _ = select.select(clients[1:], [], [], ct.LIMIT)
        assert away and len(away) < count - 1
        assert all(ended(client) for client in away)
        assert server.stderr.count("turned away") == 1
        clients[0].settimeout(ct.LIMIT)
        assert len(ct.Raw(clients[0]).get_random(8)) == 8
        for client in clients:
            client.close()
        assert server.stop() == 0


def test_the_largest_command_reaches_the_tpm(shared):
    body = struct.pack(">H", 8) + bytes(4096 - 12)
    assert shared.raw().code(ct.command(0x17B, body)) not in (0, ct.RC_FAILURE)


def test_nonsense_gets_error_responses(shared):
    client = shared.raw()
    for code in (0, 0x11E, 0x1FF, 0xFFFFFFFF):
        assert client.code(ct.command(code)) != ct.RC_SUCCESS
    assert client.code(ct.command(0x17B, tag=0xFFFF)) != ct.RC_SUCCESS
    assert len(client.get_random(8)) == 8


def test_a_second_startup_is_refused_and_pcrs_stay():
    with ct.Server(*TCP, *QUICK, "--startup", "clear") as server:
        tpm = server.raw()
        tpm.pcr_extend(10, bytes(range(32)))
        before = tpm.pcr_read(10)
        assert before != bytes(32)
        assert tpm.startup() == ct.RC_INITIALIZE
        assert tpm.startup(state=True) == ct.RC_INITIALIZE
        assert tpm.code(ct.shutdown()) == ct.RC_SUCCESS
        assert tpm.startup() == ct.RC_INITIALIZE
        assert server.raw().pcr_read(10) == before


# ---- the simulator's protocol ----

def test_tpm2_tools_work_over_mssim(shared):
    result = ct.tpm2("getrandom", "--hex", 16, tcti=shared.tcti())
    assert len(result.stdout.strip()) == 32


def test_mssim_power_and_reset_are_the_platforms():
    with ct.Server(*MSSIM, *QUICK) as server, server.mssim() as tpm, server.platform() as platform:
        assert tpm.startup() == ct.RC_SUCCESS
        tpm.pcr_extend(10, bytes(range(32)))
        platform.power_on()  # it is on: nothing happens
        assert tpm.startup() == ct.RC_INITIALIZE
        assert tpm.pcr_read(10) != bytes(32)
        platform.reset()
        assert tpm.code(ct.get_random(8)) == ct.RC_INITIALIZE
        assert tpm.startup() == ct.RC_SUCCESS
        assert tpm.pcr_read(10) == bytes(32)
        platform.power_off()
        assert tpm.transact(ct.get_random(8)) == b""
        platform.reset()  # off: nothing happens
        assert tpm.transact(ct.get_random(8)) == b""
        platform.power_on()
        assert tpm.startup() == ct.RC_SUCCESS


def test_mssim_hash_signals_extend_pcr_17():
    with ct.Server(*MSSIM, *QUICK, "--startup", "clear") as server, server.mssim() as tpm:
        assert tpm.pcr_read(17) == b"\xff" * 32
        assert tpm.signal(5) == 0
        assert tpm.signal(6, struct.pack(">I", 5000) + bytes(5000)) == 0
        assert tpm.signal(7) == 0
        import hashlib
        measured = hashlib.sha256(bytes(5000)).digest()
        assert tpm.pcr_read(17) == hashlib.sha256(bytes(32) + measured).digest()


def test_mssim_cancel_ends_a_key_generation():
    with ct.Server(*MSSIM, *QUICK, "--startup", "clear") as server:
        tpm, platform = server.mssim(), server.platform()
        platform.cancel(True)  # a held line cancels what begins under it
        assert tpm.code(ct.create_primary_rsa(unique=os.urandom(16))) == ct.RC_CANCELED
        platform.cancel(False)
        assert tpm.code(ct.create_primary_rsa(unique=os.urandom(16))) == ct.RC_SUCCESS


def test_mssim_physical_presence_is_the_platforms():
    with ct.Server(*TCP, *MSSIM, *QUICK, "--startup", "clear") as server:
        guest, tpm, platform = server.raw(), server.mssim(), server.platform()
        assert tpm.signal(15, struct.pack(">I", 1)) == 1  # the version
        assert tpm.word() == 0x01 | 0x04 | 0x08 | 0x40    # the end points: with physical presence
        assert tpm.word() == 0
        clock_rate_adjust = ct.clock_rate_adjust(ct.RH_PLATFORM)
        assert tpm.code(ct.pp_commands([0x130])) == ct.RC_PP_S1
        assert platform.signal(3) == 0
        assert tpm.code(ct.pp_commands([0x130])) == ct.RC_SUCCESS
        assert guest.code(clock_rate_adjust) == ct.RC_SUCCESS
        assert platform.signal(4) == 0
        assert guest.code(clock_rate_adjust) == tpm.code(clock_rate_adjust) == ct.RC_PP_S1
        platform.reset()  # neither the list nor who is there depends on it
        assert tpm.startup() == ct.RC_SUCCESS
        assert tpm.code(clock_rate_adjust) == ct.RC_PP_S1
        assert platform.signal(3) == 0
        platform.reset()
        assert tpm.startup() == ct.RC_SUCCESS
        assert tpm.code(clock_rate_adjust) == ct.RC_SUCCESS


def test_nobody_is_there_without_mssim():
    with ct.Server(*TCP, *QUICK, "--startup", "clear") as server:
        assert server.raw().code(ct.pp_commands()) == ct.RC_PP_S1


def test_mssim_failure_mode_lasts_until_reset():
    with ct.Server(*MSSIM, *QUICK, "--startup", "clear") as server:
        tpm, platform = server.mssim(), server.platform()
        assert platform.signal(30) == 0
        assert tpm.code(ct.get_random(8)) == ct.RC_FAILURE
        assert tpm.startup() == ct.RC_FAILURE
        platform.reset()
        assert tpm.startup() == ct.RC_SUCCESS


def test_mssim_stop_ends_the_process():
    with ct.Server(*MSSIM, *QUICK, "--startup", "clear") as server:
        server.platform().number(21)
        assert server.wait() == 0


# ---- the CRB page ----

def crb_tcti(page, *options):
    return " ".join([f"cmd:{ct.CVTPM} crb-client --crb-page {page}", *options])


@pytest.mark.parametrize("method", ["7", "8"])
def test_tpm2_tools_work_over_a_page(tmp_path, method):
    page = tmp_path / "p"
    with ct.Server("--crb-page", page, *QUICK, "--startup", "clear"):
        result = ct.tpm2("getrandom", "--hex", 16, tcti=crb_tcti(page, "--start-method", method))
        assert len(result.stdout.strip()) == 32


def test_a_page_may_lie_anywhere_in_its_file_and_serve_other_localities(tmp_path):
    page = tmp_path / "p"
    with ct.Server("--crb-page", page, "--offset", 8192, "--localities", "0-2", *QUICK, "--startup", "clear"):
        assert page.stat().st_size == 2 << 20
        ct.tpm2("getrandom", "--hex", 8, tcti=crb_tcti(page, "--offset", "8192", "--locality", "2"))
        refused = ct.tpm2("getrandom", "--hex", 8, check=False,
                          tcti=crb_tcti(page, "--offset", "8192", "--locality", "3"))
        assert refused.returncode != 0
        assert page.read_bytes()[:8192] == bytes(8192)


def test_nothing_in_a_page_resets_the_tpm(tmp_path):
    page = tmp_path / "p"
    with ct.Server("--crb-page", page, *TCP, *QUICK, "--startup", "clear") as server:
        tpm = server.raw()
        tpm.pcr_extend(10, bytes(range(32)))
        before = tpm.pcr_read(10)
        for junk in (bytes(4096), b"\xff" * 4096, os.urandom(4096), bytes(4096)):
            with open(page, "r+b") as file:
                file.write(junk)
            time.sleep(0.05)
        assert tpm.pcr_read(10) == before
        assert tpm.startup() == ct.RC_INITIALIZE
        ct.tpm2("getrandom", "--hex", 8, tcti=crb_tcti(page))


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
def test_a_server_restarted_beside_a_machine_gives_no_fresh_pcrs(tmp_path, end):
    page = tmp_path / "p"
    with ct.Server("--crb-page", page, *QUICK, "--startup", "clear") as server:
        server.signal(signal.Signals[end])
        server.wait()
    with open(page, "r+b") as file:  # as a guest would, to look new
        file.write(bytes(4096))
    with ct.Server("--crb-page", page, *MSSIM, *QUICK, "--startup", "clear") as server:
        assert "failure mode" in server.ready
        assert "--machine-is-new" in server.stderr
        assert ct.tpm2("getrandom", 8, tcti=crb_tcti(page), check=False).returncode != 0
        assert ct.tpm2("startup", "-c", tcti=crb_tcti(page), check=False).returncode != 0
        server.platform().reset()
        ct.tpm2("startup", "-c", tcti=crb_tcti(page))
        ct.tpm2("getrandom", "--hex", 8, tcti=crb_tcti(page))
        assert server.stop() == 0
    with ct.Server("--crb-page", page, "--machine-is-new", *QUICK, "--startup", "clear"):
        ct.tpm2("getrandom", "--hex", 8, tcti=crb_tcti(page))


# ---- ends ----

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_in_order(number):
    with ct.Server(*TCP, *QUICK, "--startup", "clear") as server:
        assert len(server.raw().get_random(8)) == 8
        server.signal(number)
        assert server.wait() == 0


def test_a_signal_during_a_key_generation_answers_it_and_ends():
    with ct.Server(*TCP, *QUICK, "--startup", "clear") as server:
        tpm = server.raw()
        tpm.send(ct.create_primary_rsa(unique=os.urandom(16)))
        time.sleep(0.02)  # the command is on its way or running: either way one end
        server.signal()
        try:
            code = ct.response_code(tpm.receive())
        except EOFError:
            code = None  # the signal came before the command's turn
        assert code in (ct.RC_SUCCESS, ct.RC_CANCELED, None)
        assert server.wait() == 0


def test_a_signal_during_manufacture_ends_it():
    server = ct.Server(*TCP, wait=False)
    with server:
        ct.wait_until(lambda: "evidence" in server.stderr, "the start")
        assert server.stop() == 0


def lockout_counter(tpm):
    response = tpm.transact(ct.command(0x17A, struct.pack(">III", 6, 0x20E, 1)))
    assert ct.response_code(response) == 0
    return struct.unpack(">I", response[-4:])[0]


def test_orderly_ends_of_a_persistent_tpm_are_no_failed_tries(state):
    for _ in range(3):
        with ct.Server(*TCP, "--state", state, "--startup", "clear") as server:
            tpm = server.raw()
            tpm.pcr_extend(10, bytes(32))
            assert lockout_counter(tpm) == 0
            assert server.stop() == 0


# ---- persistent state ----

def persistent_handles(tpm):
    response = tpm.transact(ct.command(0x17A, struct.pack(">III", 1, 0x81000000, 64)))
    return response[19:]


def read_public(tpm, handle):
    response = tpm.transact(ct.command(0x173, struct.pack(">I", handle)))
    assert ct.response_code(response) == 0
    return response[10:]


def test_a_persistent_tpm_stays_the_same(state):
    seen = set()
    for _ in range(2):
        with ct.Server(*TCP, "--state", state, "--startup", "clear") as server:
            seen.add(read_public(server.raw(), 0x8101000A))
            assert server.stop() == 0
    assert len(seen) == 1


def test_an_ephemeral_tpm_is_another_each_time():
    seen = set()
    for _ in range(2):
        with ct.Server(*TCP, *QUICK, "--startup", "clear") as server:
            seen.add(read_public(server.raw(), 0x8101000A))
    assert len(seen) == 2


def test_serve_on_no_state_names_manufacture(tmp_path):
    assert "cvtpm manufacture --state" in one_line(ct.run("serve", *TCP, "--state", tmp_path / "none"))
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o700)
    assert "cvtpm manufacture --state" in one_line(ct.run("serve", *TCP, "--state", empty))


def test_a_tpm_is_made_once(state):
    result = ct.run("manufacture", "--state", state, *QUICK)
    assert result.returncode == 1
    assert "holds a TPM already" in result.stderr
    with ct.Server(*TCP, "--state", state, "--startup", "clear") as server:
        assert len(server.raw().get_random(8)) == 8


def test_a_state_in_use_is_refused_and_its_holder_named(state):
    with ct.Server(*TCP, "--state", state) as server:
        for command in (("serve", *TCP), ("manufacture",)):
            line = one_line(ct.run(*command, "--state", state))
            assert str(server.pid) in line, line


def test_a_state_that_others_may_enter_is_refused(state):
    state.chmod(0o755)
    assert "700" in one_line(ct.run("serve", *TCP, "--state", state))


def test_a_state_that_is_not_ours_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    one_line(ct.run("serve", *TCP, "--state", tmp_path / "file"))
    one_line(ct.run("manufacture", "--state", tmp_path / "file"))
    one_line(ct.run("manufacture", "--state", tmp_path / "no" / "where"))


@pytest.mark.parametrize("keep", [0, 1, 4096, 10000])
def test_a_truncated_state_is_refused(state, keep):
    for file in state.iterdir():
        if file.stat().st_size > keep:
            os.truncate(file, keep)
    line = one_line(ct.run("serve", *TCP, "--state", state))
    assert str(state) in line or "state" in line


def test_a_manufacture_that_is_killed_leaves_a_whole_tpm_or_none(tmp_path):
    for n, delay in enumerate((0.0, 0.05, 0.2, 0.5, 1.0)):
        state = tmp_path / str(n)
        process = subprocess.Popen([ct.CVTPM, *ct.with_engine("manufacture", "--state", state, *QUICK)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        result = ct.run("manufacture", "--state", state, *QUICK)
        assert result.returncode in (0, 1), result.stderr
        with ct.Server(*TCP, "--state", state, "--startup", "clear") as server:
            assert len(read_public(server.raw(), 0x8101000A)) > 0


def test_a_sealed_state_needs_its_key(tmp_path):
    key, other, state = tmp_path / "key", tmp_path / "other", tmp_path / "state"
    for file in (key, other):
        file.write_bytes(os.urandom(32))
        file.chmod(0o600)
    sealed = ("--state", state, "--seal", f"file:{key}")
    assert ct.run("manufacture", *sealed, *QUICK).returncode == 0
    with ct.Server(*TCP, *sealed, "--startup", "clear") as server:
        assert len(server.raw().get_random(8)) == 8
        assert server.stop() == 0
    assert "--seal" in one_line(ct.run("serve", *TCP, "--state", state))
    one_line(ct.run("serve", *TCP, "--state", state, "--seal", f"file:{other}"))
    other.write_bytes(bytes(31))
    assert "32 bytes" in one_line(ct.run("serve", *TCP, "--state", state, "--seal", f"file:{other}"))
    key.chmod(0o644)
    assert "chmod 600" in one_line(ct.run("serve", *TCP, *sealed))


# ---- secrets of the process ----

def test_without_an_amd_sp_there_is_no_key_of_its_own(tmp_path):
    said = one_line(ct.run("manufacture", "--state", tmp_path / "state", "--seal", "snp"))
    assert "this is no SEV-SNP guest" in said and "--seal file:" in said


def test_no_core_file_is_ever_written(shared):
    limits = pathlib.Path(f"/proc/{shared.pid}/limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert line.split()[4:6] == ["0", "0"]


def test_the_instances_memory_is_left_out_of_dumps(shared):
    smaps = pathlib.Path(f"/proc/{shared.pid}/smaps").read_text()
    assert any(line.startswith("VmFlags:") and "dd" in line.split() for line in smaps.splitlines())


# ---- who signs ----

@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A lab, and the measurement of the program that runs on it."""
    lab = tmp_path_factory.mktemp("lab") / "lab"
    with ct.Server(*TCP, *QUICK, "--lab", "--lab-dir", lab):
        pass
    return lab, (lab / "measurement").read_text().strip()


def test_a_ca_signs_what_it_has_verified(lab, tmp_path):
    folder, measurement = lab
    ca = tmp_path / "ca"
    made = ct.run("ca", "init", "--lab-root", folder / "ark.pem", "--measurement", measurement, ca)
    assert made.returncode == 0, made.stderr
    with ct.Server(*MSSIM, *QUICK, "--lab", "--lab-dir", folder, "--ca", ca, "--startup", "clear") as server:
        certificate = tmp_path / "ek.der"
        ct.tpm2("nvread", "-C", "o", "0x01c0000a", "-o", certificate, tcti=server.tcti())
    subprocess.run(["openssl", "x509", "-inform", "der", "-in", certificate, "-out", tmp_path / "ek.pem"], check=True)
    verified = subprocess.run(["openssl", "verify", "-CAfile", ca / "ca.pem", tmp_path / "ek.pem"],
                              capture_output=True, text=True)
    assert verified.returncode == 0, verified.stderr


def test_a_ca_that_cannot_be_used_is_told_in_one_line(tmp_path):
    open_to_all, empty, keyless = (tmp_path / name for name in ("open", "empty", "keyless"))
    for folder, mode in ((open_to_all, 0o755), (empty, 0o700), (keyless, 0o700)):
        folder.mkdir()
        folder.chmod(mode)
    (keyless / "ca.key").write_text("no key")
    (keyless / "ca.key").chmod(0o600)
    for folder, says in ((tmp_path / "none", "cvtpm ca init"), (empty, "cvtpm ca init"),
                         (open_to_all, "chmod 700"), (keyless, "ca.key is no private key")):
        result = ct.run("serve", *TCP, *QUICK, "--ca", folder)
        assert says in one_line(result)
        said = [line for line in result.stderr.splitlines() if "warning:" not in line and "TEE" not in line]
        assert len(said) == 1, said


def test_a_ca_signs_nothing_else(lab, tmp_path):
    folder, measurement = lab
    ca = tmp_path / "ca"
    other = ("0" if measurement[0] != "0" else "1") + measurement[1:]
    assert ct.run("ca", "init", "--lab-root", folder / "ark.pem", "--measurement", other, ca).returncode == 0
    one_line(ct.run("serve", *TCP, *QUICK, "--lab", "--lab-dir", folder, "--ca", ca))
    one_line(ct.run("serve", *TCP, *QUICK, "--ca", ca))  # no report, no signature
    state = tmp_path / "state"
    one_line(ct.run("manufacture", "--state", state, *QUICK, "--lab", "--lab-dir", folder, "--ca", ca))
    assert "cvtpm manufacture" in one_line(ct.run("serve", *TCP, "--state", state))
    assert "cvtpm ca init" in one_line(ct.run("serve", *TCP, *QUICK, "--ca", tmp_path / "none"))


# ---- what survives SIGKILL ----

def test_failed_tries_survive_sigkill(state):
    for tries in (1, 2):
        with ct.Server(*TCP, "--state", state, "--startup", "clear") as server:
            tpm = server.raw()
            if tries == 1:  # an ordinary NV index that counts failures: authorised by its own value
                public = struct.pack(">IHIHH", 0x01500001, 0x000B, 0x00040004, 0, 8)
                body = struct.pack(">I", ct.RH_OWNER) + ct.password_session() + struct.pack(">H", 4) + b"good"
                body += struct.pack(">H", len(public)) + public
                assert tpm.code(ct.command(0x12A, body, tag=0x8002)) == 0
            guess = struct.pack(">II", 0x01500001, 0x01500001) + ct.password_session(b"evil")
            guess += struct.pack(">H", 8) + bytes(8) + struct.pack(">H", 0)
            # TPM_RC_RETRY: the first use of a protected entity had to be noted first.
            answers = [tpm.code(ct.command(0x137, guess, tag=0x8002)) for _ in range(2)]
            assert set(answers) <= {0x922, 0x98E, 0x921} and answers[-1] != 0x922, answers
            assert lockout_counter(tpm) >= tries
            server.kill()
