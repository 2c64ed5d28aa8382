"""A guest at a CRB page, as far as the page can tell: it writes registers and buffer itself, and rings.

    with PageGuest(path, bell=path_of_socket) as guest:
        assert guest.get_random(8)          # start method 8: the command, START, the bell
"""
import mmap
import socket
import struct
import time

from cvtpm_test import LIMIT, Commands

LOC_STATE, LOC_CTRL, LOC_STS, INTF_ID = 0x00, 0x08, 0x0C, 0x30
CTRL_REQ, CTRL_STS, CTRL_CANCEL, CTRL_START, CMD_SIZE, CMD_LADDR, CMD_HADDR, RSP_ADDR = \
    0x40, 0x44, 0x48, 0x4C, 0x58, 0x5C, 0x60, 0x68
BUFFER, BUFFER_SIZE = 0x80, 3968


def until(condition, what):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.0005)


def dial(path):
    """Connects to a Unix socket, as soon as somebody listens there."""
    end = time.monotonic() + LIMIT
    while True:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(LIMIT)
        try:
            s.connect(str(path))
            return s
        except OSError:
            s.close()
            assert time.monotonic() < end, f"nobody listens on {path}"
            time.sleep(0.01)


class PageGuest(Commands):
    def __init__(self, page, offset=0, size=4096, bell=None):
        """`bell`: the path of a socket, or a connected one; None: a guest that never rings."""
        self.file = open(page, "r+b")
        self.memory = mmap.mmap(self.file.fileno(), size, offset=offset)
        self.bell = bell if bell is None or isinstance(bell, socket.socket) else dial(bell)

    def word(self, offset):
        return struct.unpack_from("<I", self.memory, offset)[0]

    def put(self, offset, value):
        struct.pack_into("<I", self.memory, offset, value)

    def ring(self):
        if self.bell:
            self.bell.sendall(b"\1")

    def start(self, command):
        """Writes a command, sets START, rings, and does not wait."""
        self.memory[BUFFER:BUFFER + len(command)] = command
        self.put(CTRL_START, 1)
        self.ring()

    def start_and_see_taken(self, command):
        """The same, from Idle, whose end shows that the server has the command."""
        self.put(CTRL_REQ, 2)
        until(lambda: self.word(CTRL_STS) & 2, "tpmIdle")
        self.start(command)
        until(lambda: not self.word(CTRL_STS) & 2, "the command to be taken")

    def finished(self):
        return self.word(CTRL_START) & 1 == 0

    def response(self):
        until(self.finished, "START to become 0")
        size = struct.unpack_from(">I", self.memory, BUFFER + 2)[0]
        assert 10 <= size <= BUFFER_SIZE, f"a response of {size} bytes"
        return bytes(self.memory[BUFFER:BUFFER + size])

    def transact(self, command):
        self.put(CTRL_CANCEL, 0)
        self.start(command)
        return self.response()

    def close(self):
        self.memory.close()
        self.file.close()
        if self.bell:
            self.bell.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
