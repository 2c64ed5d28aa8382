"""`cvtpm serve --flush-on-disconnect`: what a connection loaded, and nothing else, goes with it."""
import pathlib
import struct
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cvtpm_test as ct  # noqa: E402

BASE = ("--tcp", "127.0.0.1:0", "--mssim", "127.0.0.1:0", "--ek", "p256", "--startup", "clear")
TRANSIENT, LOADED_SESSION = 0x80000000, 0x02000000
START_SESSION = ct.command(0x176, struct.pack(">IIH16sHBHH", ct.RH_NULL, ct.RH_NULL, 16, bytes(16), 0, 1, 0x10, 0x0B))


@pytest.fixture(scope="module", params=["raw", "mssim"])
def flushing(request):
    with ct.Server(*BASE, "--flush-on-disconnect") as server:
        yield Tpm(server, request.param)


class Tpm:
    """A server, one of its transports, and a client that stays."""

    def __init__(self, server, transport):
        self.server, self.transport = server, transport
        self.watcher = self.connect()

    def connect(self):
        return getattr(self.server, self.transport)()

    def handles(self, kind):
        response = self.watcher.transact(ct.command(0x17A, struct.pack(">III", 1, kind, 64)))
        assert ct.response_code(response) == 0
        count, = struct.unpack_from(">I", response, 15)
        return list(struct.unpack_from(f">{count}I", response, 19))

    def wait_for(self, kind, handles):
        ct.wait_until(lambda: self.handles(kind) == handles, f"{handles} loaded")


def handle_of(response):
    assert ct.response_code(response) == 0, response.hex()
    return struct.unpack(">I", response[10:14])[0]


def key(client):
    """A loaded key (an HMAC key is made at once)."""
    public = struct.pack(">HHIHHH", 0x0008, 0x000B, 0x00040072, 0, 0x0005, 0x000B) + struct.pack(">H", 0)
    body = struct.pack(">I", ct.RH_NULL) + ct.password_session() + struct.pack(">HHH", 4, 0, 0)
    body += struct.pack(">H", len(public)) + public + struct.pack(">HI", 0, 0)
    return handle_of(client.transact(ct.command(0x131, body, tag=0x8002)))


def session(client):
    return handle_of(client.transact(START_SESSION))


def save(client, handle):
    response = client.transact(ct.command(0x162, struct.pack(">I", handle)))
    assert ct.response_code(response) == 0, response.hex()
    return response[10:]


def load(client, context):
    return handle_of(client.transact(ct.command(0x161, context)))


def test_objects_sequences_and_sessions_go_with_their_connection(flushing):
    client = flushing.connect()
    kept = [key(client), handle_of(client.transact(ct.command(0x186, struct.pack(">HH", 0, 0x0B))))]
    sessions = [session(client)]
    assert flushing.handles(TRANSIENT) == kept and flushing.handles(LOADED_SESSION) == sessions
    client.close()
    flushing.wait_for(TRANSIENT, [])
    flushing.wait_for(LOADED_SESSION, [])


def test_a_hundred_untidy_connections_leave_nothing_behind(flushing):
    for _ in range(100):
        client = flushing.connect()
        key(client), session(client)
        client.close()
        flushing.wait_for(TRANSIENT, [])
        flushing.wait_for(LOADED_SESSION, [])


def test_what_another_connection_loaded_stays(flushing):
    stays, goes = flushing.connect(), flushing.connect()
    mine, its = key(stays), key(goes)
    goes.close()
    flushing.wait_for(TRANSIENT, [mine])
    stays.close()
    flushing.wait_for(TRANSIENT, [])
    assert its != mine


def test_saved_contexts_stay_valid(flushing):
    client = flushing.connect()
    object_context, session_context = save(client, key(client)), save(client, session(client))
    client.close()
    flushing.wait_for(TRANSIENT, [])
    again = flushing.connect()
    load(again, object_context), load(again, session_context)
    again.close()
    flushing.wait_for(TRANSIENT, [])
    flushing.wait_for(LOADED_SESSION, [])


def test_a_handle_that_was_given_out_anew_belongs_to_the_new_connection(flushing):
    first, second = flushing.connect(), flushing.connect()
    handle = key(first)
    assert flushing.watcher.code(ct.flush_context(handle)) == 0
    assert key(second) == handle
    first.close()
    flushing.watcher.get_random(8)
    assert second.code(ct.command(0x173, struct.pack(">I", handle))) == 0  # TPM2_ReadPublic
    second.close()
    flushing.wait_for(TRANSIENT, [])


def test_a_session_that_ended_by_itself_and_came_back_for_another_stays(flushing):
    first, second = flushing.connect(), flushing.connect()
    handle = session(first)
    area = struct.pack(">IHBH", handle, 0, 0, 0)  # does not continue
    sessions = struct.pack(">I", len(area)) + area
    response = first.transact(ct.command(0x17B, sessions + struct.pack(">H", 8), tag=0x8002))
    if ct.response_code(response):  # whether or not the session may be used so, it has to be gone
        assert first.code(ct.flush_context(handle)) == 0
    assert session(second) == handle
    first.close()
    flushing.watcher.get_random(8)
    assert flushing.handles(LOADED_SESSION) == [handle]
    second.close()
    flushing.wait_for(LOADED_SESSION, [])


def test_a_client_that_goes_while_its_command_runs_leaves_nothing(flushing):
    client = flushing.connect()
    send = getattr(client, "send_command", client.send)
    send(ct.create_primary_rsa())
    client.close()
    flushing.watcher.get_random(8)
    flushing.wait_for(TRANSIENT, [])


def test_without_the_option_handles_live_on():
    with ct.Server(*BASE) as server:
        tpm = Tpm(server, "raw")
        client = tpm.connect()
        handle = key(client)
        client.close()
        tpm.watcher.get_random(8)
        assert tpm.handles(TRANSIENT) == [handle]
