"""A stock Linux guest under QEMU's TCG emulation, and a host's hand in it.

    images = Images()                       # skips the test where a part of it is missing
    with Guest(tmp_path, images, door=["-chardev", ..., "-tpmdev", ..., "-device", "tpm-crb,..."]) as guest:
        print(guest.run("cat /sys/class/tpm/tpm0/tpm_version_major"))

The kernel is Debian's (scripts/guest-kernel), the initramfs busybox and one static program (tests/guest).
CVTPM_GUEST names the folder with the kernel, CVTPM_GUEST_PROGRAM the program.

As a program it writes the two files for others:  guest.py KERNEL-OUT INITRAMFS-OUT
"""
import base64
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 600  # seconds after which something that should have happened counts as not happening: a guest on a busy host
QEMU = "qemu-system-x86_64"


class Missing(Exception):
    """A part of a guest that cannot be had; the message says which, and how it is got."""


class Images:
    """The kernel and initramfs of guests. `tree` is a folder of its own for what is made here."""

    def __init__(self):
        self.folder = pathlib.Path(os.environ.get("CVTPM_GUEST", ROOT / "build" / "guest"))
        self.kernel = self.folder / "vmlinuz"
        self.program = os.environ.get("CVTPM_GUEST_PROGRAM")
        if not (self.folder / "version").exists():
            raise Missing(f"no guest kernel in {self.folder} (scripts/guest-kernel {self.folder})")
        for tool in (QEMU, "cpio", "busybox"):
            if not shutil.which(tool):
                raise Missing(f"{tool} is not installed (make deps-guest)")
        if not self.program or not os.path.exists(self.program):
            raise Missing("CVTPM_GUEST_PROGRAM names no program")

    def initramfs(self, path, programs=(), libraries=(), files=()):
        """Writes an initramfs to `path`. `programs` go to /bin, with the libraries that they need; `libraries` are
        those that programs load at run time; `files` are pairs (path in the guest, path here)."""
        with tempfile.TemporaryDirectory() as tree:
            tree = pathlib.Path(tree)
            for folder in ("bin", "modules", "lib64", "root", "etc"):
                (tree / folder).mkdir()
            shutil.copy(shutil.which("busybox"), tree / "bin" / "busybox")
            (tree / "bin" / "sh").symlink_to("busybox")
            shutil.copy(self.program, tree / "bin" / "guest")
            shutil.copy(ROOT / "tests" / "guest" / "init", tree / "init")
            for module in (self.folder / "modules").glob("*.ko"):
                shutil.copy(module, tree / "modules")
            for program in programs:
                self.add_program(tree, program)
            for library in libraries:
                self.add_file(tree, library, library)
                self.add_libraries(tree, library)
            for there, here in files:
                self.add_file(tree, there, here)
            names = "\0".join(sorted(str(p.relative_to(tree)) for p in tree.rglob("*")))
            with open(path, "wb") as out:
                cpio = subprocess.Popen(["cpio", "--null", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=tree,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                gzip = subprocess.Popen(["gzip", "-1"], stdin=cpio.stdout, stdout=out)
                cpio.stdin.write(names.encode())
                cpio.stdin.close()
                cpio.stdout.close()
                assert cpio.wait() == 0 and gzip.wait() == 0
        return path

    @staticmethod
    def add_program(tree, program):
        program = shutil.which(str(program)) or str(program)
        shutil.copy(program, tree / "bin" / os.path.basename(program))
        Images.add_libraries(tree, program)

    @staticmethod
    def add_libraries(tree, program):
        """What the dynamic linker says it loads, each at the path where it is looked for."""
        listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            Images.add_file(tree, library, library)

    @staticmethod
    def add_file(tree, there, here):
        target = tree / str(there).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copy(os.path.realpath(here), target)


class Qmp:
    """QEMU's monitor."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("r")
        self.events = []
        json.loads(self.lines.readline())
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        request = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = json.loads(self.lines.readline())
            if "event" in answer:
                self.events.append(answer["event"])
            elif "error" in answer:
                raise AssertionError(f"QMP {command}: {answer['error']}")
            else:
                return answer["return"]

    def monitor(self, line):
        """A command of the human monitor; what it says is an error."""
        said = self.execute("human-monitor-command", **{"command-line": line})
        assert not said.strip(), f"{line}: {said}"

    def wait_event(self, name):
        while name not in self.events:
            answer = json.loads(self.lines.readline())
            if "event" in answer:
                self.events.append(answer["event"])
        self.events.remove(name)

    def wait_until(self, query, condition):
        end = time.monotonic() + LIMIT
        while not condition(self.execute(query)):
            assert time.monotonic() < end, f"waited in vain: {query} answers {self.execute(query)}"
            time.sleep(0.05)

    def close(self):
        self.lines.close()
        self.socket.close()


class Guest:
    """A running machine; a context manager.

    door      QEMU's arguments that bring the TPM
    append    for the kernel's command line
    incoming  where a migration comes from: the guest is then up already
    firmware  (code, variables): OVMF's two flash files instead of SeaBIOS
    memory    None: the door's arguments bring the memory, too
    """
    count = 0

    def __init__(self, folder, kernel, initramfs, door=(), append="", incoming=None, firmware=None, memory=256,
                 machine="q35", snapshots=None, wait=True):
        Guest.count += 1
        # Paths of Unix sockets are short: a folder of our own, not the test's.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="guest", dir=os.environ.get("TMPDIR", "/tmp")))
        self.log = pathlib.Path(folder) / f"guest{Guest.count}.log"
        self.errors = tempfile.TemporaryFile("w+")
        agent, qmp = self.folder / "agent", self.folder / "qmp"
        command = [QEMU, "-M", machine, "-accel", "tcg,thread=multi", "-cpu", "max", "-nodefaults", "-no-user-config",
                   "-display", "none", "-serial", f"file:{self.log}", "-kernel", kernel, "-initrd", initramfs,
                   "-append", f"console=ttyS0 panic=-1 quiet {append}",
                   "-qmp", f"unix:{qmp},server=on,wait=off",
                   "-chardev", f"socket,id=agent,path={agent},server=on,wait=off",
                   # The firmware's own messages.
                   "-chardev", f"file,id=firmware,path={self.folder / 'firmware'}",
                   "-device", "isa-debugcon,iobase=0x402,chardev=firmware",
                   "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=agent"]
        if memory:
            command += ["-m", str(memory)]
        if firmware:
            for number, (path, how) in enumerate(zip(firmware, (",readonly=on", ""))):
                command += ["-drive", f"if=pflash,unit={number},format=raw,file={path}{how}"]
        if snapshots:
            command += ["-drive", f"if=none,id=snapshots,format=qcow2,file={snapshots}"]
        if incoming:
            command += ["-incoming", incoming]
        command += [str(a) for a in door]
        self.command = [str(c) for c in command]
        # `meson test` has malloc fill what it gives. QEMU does not clear the memory of its TPM's physical presence
        # interface, finds a request there to overwrite all memory at the next reset, and takes the firmware along.
        environment = {name: value for name, value in os.environ.items() if name != "MALLOC_PERTURB_"}
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors,
                                        env=environment)
        self.agent = self.qmp = None
        self._qmp_path = qmp
        try:
            self.agent = self._connect(agent)
            if wait and not incoming:
                self.wait_up()
        except BaseException:
            self.quit()
            raise

    def _connect(self, path):
        end = time.monotonic() + LIMIT
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(LIMIT)
        while True:
            try:
                s.connect(str(path))
                return s
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError("QEMU did not start: " + self.said()) from None
                time.sleep(0.02)

    def said(self):
        """What QEMU wrote, where its processor is, and the ends of console and firmware's messages."""
        self.errors.seek(0)
        return (f"the emulator said:\n{self.errors.read()}\n--- processor:\n{self._registers()}\n"
                f"--- firmware:\n{self._firmware()[-800:]}\n--- console:\n{self.console[-4000:]}")

    def _firmware(self):
        path = self.folder / "firmware"
        return path.read_text(errors="replace") if path.exists() else ""

    def _registers(self):
        try:
            said = self.monitor.execute("human-monitor-command", **{"command-line": "info registers"})
            return f"{self.monitor.execute('query-status')}\n{said[:600]}"
        except (OSError, ValueError, AssertionError) as e:
            return f"nothing to be had: {e!r}"

    @property
    def console(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def monitor(self):
        if not self.qmp:
            self.qmp = Qmp(self._qmp_path)
        return self.qmp

    def _line(self):
        line = b""
        while not line.endswith(b"\n"):
            try:
                byte = self.agent.recv(1)
            except TimeoutError:
                raise AssertionError("the guest says nothing: " + self.said()) from None
            except ConnectionResetError:
                byte = b""
            if not byte:
                raise AssertionError("QEMU ended: " + self.said())
            line += byte
        return line.decode(errors="replace").strip()

    def wait_up(self):
        """Waits for the guest's shell, after power-on or a reset; what it still had to say before is dropped."""
        while not self._line().endswith("hello"):
            pass

    def begin(self, command):
        """Starts a command without waiting for it."""
        assert "\n" not in command
        self.agent.sendall(command.encode() + b"\n")

    def end(self):
        """(status, output) of the command that was begun."""
        status, length = map(int, self._line().split())
        output = b""
        while len(output) < length:
            part = self.agent.recv(length - len(output))
            assert part, "QEMU ended: " + self.said()
            output += part
        return status, output

    def attempt(self, command):
        """(status, output as text)"""
        self.begin(command)
        status, output = self.end()
        return status, output.decode(errors="replace")

    def bytes(self, command):
        self.begin(command)
        status, output = self.end()
        assert status == 0, f"{command}: exit {status}: {output!r}\n{self.said()}"
        return output

    def run(self, command):
        """What the command writes; an error unless it ends with 0."""
        return self.bytes(command).decode(errors="replace")

    def write(self, path, content):
        """Makes a file in the guest."""
        self.run(f": >{path}")
        text = base64.b64encode(content).decode()
        for at in range(0, len(text), 32768):
            self.run(f"echo {text[at:at + 32768]} | base64 -d >>{path}")

    def read(self, path):
        """A file of the guest."""
        return self.bytes(f"cat {path}")

    def reset(self):
        """The machine's reset, and the guest is up again."""
        self.monitor.execute("system_reset")
        self.wait_up()

    def quit(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.qmp:
            self.qmp.close()
            self.qmp = None
        if self.agent:
            self.agent.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            print(self.said())
        self.quit()
        self.errors.close()


def values(text):
    """What the guest's program prints: name -> values, in order."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found


def main(arguments):
    if len(arguments) != 2:
        sys.exit(__doc__)
    try:
        images = Images()
    except Missing as e:
        sys.exit(f"guest.py: {e}")
    shutil.copy(images.kernel, arguments[0])
    images.initramfs(arguments[1])


if __name__ == "__main__":
    main(sys.argv[1:])
