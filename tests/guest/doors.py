"""The doors: QEMU's arguments for each, and the server behind it."""
import cvtpm_test as ct

EK = ("--ek", "p256")


def emulator(path, device="tpm-crb"):
    """QEMU's arguments for a TPM behind swtpm's control channel."""
    return ("-chardev", f"socket,id=chrtpm,path={path}", "-tpmdev", "emulator,id=tpm0,chardev=chrtpm",
            "-device", f"{device},tpmdev=tpm0")


def serve_control(path, *options, ek=EK):
    return ct.Server("--ctrl", f"unix:{path}", "--terminate", *ek, *options)
