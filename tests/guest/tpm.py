"""Single commands from the host, through the guest's own driver."""
import struct

import check
import cvtpm_test as ct

POLICY, HMAC = 1, 0
RC_REFERENCE_H0 = 0x910
NV_INDEX = 0x01800030


class GuestTpm(ct.Commands):
    """What cvtpm_test can ask a TPM, asked by the guest."""

    def __init__(self, guest, device="/dev/tpm0"):
        self.guest, self.device = guest, device

    def transact(self, data):
        said = self.guest.run(f"guest send {self.device} {data.hex()}")
        name, _, response = said.strip().partition(" ")
        assert name == "response", said
        return bytes.fromhex(response)

    def success(self, data):
        """The response's bytes after the header."""
        response = self.transact(data)
        assert ct.response_code(response) == 0, response.hex()
        return response[10:]

    # ---- objects and sessions ----

    def create_signing_key(self):
        """(handle, public key) of a P-256 key in the owner hierarchy."""
        public = struct.pack(">HHIHHHHHHHH", 0x23, 0x0B, 0x00050472, 0, 0x10, 0x18, 0x0B, 3, 0x10, 0, 0)
        body = struct.pack(">I", ct.RH_OWNER) + ct.password_session() + struct.pack(">HHH", 4, 0, 0)
        body += struct.pack(">H", len(public)) + public + struct.pack(">HI", 0, 0)
        r = check.Reader(self.success(ct.command(0x131, body, tag=0x8002)))
        handle = r.number(4)
        r.number(4)
        return handle, check.ecc_key(r.sized())

    def quote(self, handle, nonce, pcr):
        """(TPMS_ATTEST, signature) over one PCR."""
        selected = (1 << pcr).to_bytes(3, "little")
        body = struct.pack(">I", handle) + ct.password_session() + struct.pack(">H", len(nonce)) + nonce
        body += struct.pack(">HIHB", 0x10, 1, 0x0B, 3) + selected
        r = check.Reader(self.success(ct.command(0x158, body, tag=0x8002)))
        parameters = check.Reader(r.bytes(r.number(4)))
        quoted = parameters.sized()
        return quoted, parameters.bytes(len(parameters.data) - parameters.at)

    def start_session(self, kind):
        body = struct.pack(">IIH", ct.RH_NULL, ct.RH_NULL, 16) + bytes(16) + struct.pack(">HBHH", 0, kind, 0x10, 0x0B)
        return struct.unpack(">I", self.success(ct.command(0x176, body))[:4])[0]

    def policy_command_code(self, session, code):
        self.success(ct.command(0x16C, struct.pack(">II", session, code)))

    def policy_digest(self, session):
        return self.success(ct.command(0x189, struct.pack(">I", session)))[2:]

    def flush(self, handle):
        self.success(ct.flush_context(handle))

    # ---- NV ----

    def nv_define(self, index, size, attributes=0x02040004):
        """AUTHWRITE, AUTHREAD, NO_DA."""
        public = struct.pack(">IHIHH", index, 0x0B, attributes, 0, size)
        self.success(ct.command(0x12A, struct.pack(">I", ct.RH_OWNER) + ct.password_session() +
                                struct.pack(">HH", 0, len(public)) + public, tag=0x8002))

    def nv_write(self, index, data):
        self.success(ct.command(0x137, struct.pack(">II", index, index) + ct.password_session() +
                                struct.pack(">H", len(data)) + data + struct.pack(">H", 0), tag=0x8002))

    def nv_read(self, index, size):
        r = check.Reader(self.success(ct.command(0x14E, struct.pack(">II", index, index) + ct.password_session() +
                                                 struct.pack(">HH", size, 0), tag=0x8002)))
        return check.Reader(r.bytes(r.number(4))).sized()

    def read_public(self, handle):
        return self.success(ct.command(0x173, struct.pack(">I", handle)))

    def reset_count(self):
        """resetCount, restartCount of TPMS_CLOCK_INFO."""
        r = check.Reader(self.success(ct.command(0x181)))
        r.bytes(16)
        return r.number(4), r.number(4)
