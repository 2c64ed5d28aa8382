"""The doors: QEMU's arguments for each, and the server behind it. CVTPM_ENGINE names an engine other than the first."""
import contextlib
import os
import subprocess

import cvtpm_test as ct

ENGINE = ("--engine", os.environ["CVTPM_ENGINE"]) if os.environ.get("CVTPM_ENGINE") else ()
EK = ("--ek", "p256", *ENGINE)


def emulator(path, device="tpm-crb"):
    """QEMU's arguments for a TPM behind swtpm's control channel."""
    return ("-chardev", f"socket,id=chrtpm,path={path}", "-tpmdev", "emulator,id=tpm0,chardev=chrtpm",
            "-device", f"{device},tpmdev=tpm0")


def serve_control(path, *options, ek=EK):
    return ct.Server("--ctrl", f"unix:{path}", "--terminate", *ek, *options)


class Page:
    """A CRB page that a guest and cvtpm share, without any TPM device of QEMU's.

    where   "nvdimm": an nvdimm at 4 GiB; "numa": the second of three NUMA nodes, kept from the kernel by memmap=
    method  ACPI's start method: 8 rings the doorbell, 7 is polled
    monitor  cvtpm follows the machine's resets
    tables   more arguments for `cvtpm acpi`
    """
    PLACES = {"nvdimm": 0x100000000, "numa": 0xF000000}

    def __init__(self, folder, where="nvdimm", method=8, monitor=False, tables=()):
        self.folder, self.where, self.method, self.monitor = folder, where, method, monitor
        self.base = self.PLACES[where]
        self.file, self.bell = folder / "page", folder / "bell"
        made = ct.run("acpi", "--page-base", hex(self.base), "--start-method", method, "-o", folder, *tables)
        assert made.returncode == 0, made.stderr

    def serve(self, *options, ek=EK):
        bell = ("--doorbell", self.bell) if self.method == 8 else ()
        monitor = ("--qmp", self.folder / "monitor") if self.monitor else ()
        return ct.Server("--crb-page", self.file, "--page-base", hex(self.base), *bell, *monitor, *ek, *options)

    def shared(self):
        return f"memory-backend-file,id=shared,size=2M,mem-path={self.file},share=on"

    @property
    def how(self):
        """What Guest() takes besides the door's arguments."""
        if self.where == "nvdimm":
            return {"machine": "q35,nvdimm=on", "memory": "256M,slots=2,maxmem=1G"}
        return {"append": "memmap=0x200000$0xF000000"}

    @property
    def door(self):
        """QEMU's arguments."""
        tables = [f"-acpitable file={self.folder}/{name}.aml" for name in ("tpm2", "ssdt")]
        bell = [f"-chardev socket,id=bell,path={self.bell} -device isa-debugcon,iobase=0x505,chardev=bell"]
        if self.where == "nvdimm":
            memory = [f"-object {self.shared()} -device nvdimm,memdev=shared,addr={hex(self.base)}"]
        else:
            memory = ["-object memory-backend-ram,id=low,size=240M", f"-object {self.shared()}",
                      "-object memory-backend-ram,id=high,size=14M",
                      "-numa node,memdev=low -numa node,memdev=shared -numa node,memdev=high"]
        monitor = [f"-qmp unix:{self.folder}/monitor,server=on,wait=off"]
        return " ".join(tables + memory + bell * (self.method == 8) + monitor * self.monitor).split()


@contextlib.contextmanager
def swtpm_command_line(folder):
    """What a person types, or libvirt: swtpm_setup, then swtpm socket; the path of its control channel."""
    state, ctrl = folder / "state", folder / "ctrl"
    state.mkdir(mode=0o700, exist_ok=True)
    made = ct.run("swtpm", "setup", "--tpm2", "--tpm-state", state, "--createek", "--create-ek-cert",
                  "--create-platform-cert", "--lock-nvram", "--not-overwrite")
    assert made.returncode == 0, made.stdout + made.stderr
    process = subprocess.Popen([ct.CVTPM, "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state},mode=0600", "--ctrl",
                                f"type=unixio,path={ctrl},mode=0600", "--log", f"file={folder}/log", "--terminate"])
    try:
        ct.wait_until(ctrl.exists, "the control channel")
        yield ctrl
        assert process.wait(ct.LIMIT) == 0, "the machine's end is swtpm's"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
