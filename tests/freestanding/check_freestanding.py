#!/usr/bin/python3
"""Looks at the freestanding archives: what they need from outside, and what of them is writable.

usage: check_freestanding.py OUR-ARCHIVE WOLFCRYPT-ARCHIVE ...

Our own objects may need the four mem* functions and wolfCrypt, and have no writable data. wolfCrypt's
writable symbols are held against the list below, each with its reason. Speaks TAP.
"""
import fnmatch
import subprocess
import sys

OUTSIDE = {"memcpy", "memmove", "memset", "memcmp"}

CPU = "which instructions the CPU has: found out once, the same for every instance"
ASM = "constants of the assembler files, which put them into .data; nothing writes them"
ALLOWED = {
    "cpuid_flags": CPU, "cpuid_check": CPU, "cpuid_flags_set": CPU, "intel_flags": CPU,
    "checkedAESNI": CPU, "haveAESNI": CPU, "transform_check": CPU,
    "Transform_Sha256_p": CPU, "Transform_Sha256_Len_p": CPU,
    "Transform_Sha512_p": CPU, "Transform_Sha512_Len_p": CPU,
    "sha3_block": CPU, "sha3_block_n": CPU,
    "initRefCount": "counts wolfCrypt_Init calls; never called",
    "L_*": ASM,
    "mont_*": ASM, "sp_*": ASM,
}


def symbols(archive):
    """(object, type letter, name) of each symbol of an archive."""
    out = subprocess.run(["nm", "-A", archive], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        where, rest = line.split(": ", 1) if ": " in line else line.rsplit(":", 1)
        parts = rest.split()
        yield where, parts[-2], parts[-1]


class Tap:
    def __init__(self):
        self.n, self.bad = 0, 0

    def check(self, claim, problems):
        self.n += 1
        problems = list(problems)
        self.bad += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {self.n} - {claim}")
        for p in problems[:20]:
            print(f"# {p}")

    def end(self):
        """The plan, and the exit status."""
        print(f"1..{self.n}")
        return 1 if self.bad else 0


def main(ours, *wolfcrypt):
    tap = Tap()
    own = list(symbols(ours))
    wolf = [s for a in wolfcrypt for s in symbols(a)]
    defined = {name for _, kind, name in own + wolf if kind not in "Uwv"}

    tap.check("the core is not empty", [] if len(own) > 100 else [f"{len(own)} symbols in {ours}"])
    tap.check("nothing is needed from outside but the four mem* functions",
              sorted(f"{where} needs {name}" for where, kind, name in own + wolf
                     if kind == "U" and name not in defined | OUTSIDE))
    tap.check("our own objects have no writable data",
              [f"{where}: {name} ({kind})" for where, kind, name in own if kind in "dDbBC"])
    tap.check("wolfCrypt's writable symbols are the known ones",
              [f"{where}: {name} ({kind})" for where, kind, name in wolf if kind in "dDbBC"
               and not any(fnmatch.fnmatchcase(name.split(".")[0], p) for p in ALLOWED)])
    tap.check("the AES assembler did not assemble empty",
              [] if any(kind in "Tt" and "AESNI" in name for where, kind, name in wolf if "aes_asm" in where)
              else ["no AES-NI function in aes_asm.o"])
    return tap.end()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
