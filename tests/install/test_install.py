"""What `make install` gives to a program: headers, archives that export cvtpm_* alone, pkg-config's files."""
import os
import pathlib
import shlex
import shutil
import subprocess

import pytest

BUILD = os.environ["CVTPM_BUILD"]
CC = shlex.split(os.environ["CVTPM_CC"])
FLAGS = shlex.split(os.environ["CVTPM_FLAGS"])  # of the build's sanitizers
WOLFSSL_INSIDE = os.environ["CVTPM_WOLFSSL"] == "source"
HERE = pathlib.Path(__file__).parent
MEM = {"memcpy", "memmove", "memset", "memcmp"}


def run(*command, **others):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=240, **others)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder below which `meson install` put everything that a program needs to be built."""
    folder = tmp_path_factory.mktemp("installed")
    run(shutil.which("meson"), "install", "-C", BUILD, "--no-rebuild", "--tags", "devel", "--destdir", folder)
    return folder


def one(folder, name):
    found = list(folder.rglob(name))
    assert len(found) == 1, found
    return found[0]


def symbols(archive):
    """[(letter, name)] of an archive's global symbols."""
    lines = run("nm", "-g", archive).splitlines()
    return [tuple(line.split()[-2:]) for line in lines if len(line.split()) >= 2]


@pytest.mark.parametrize("name", ["libcvtpm.a", "libcvtpm-core.a"])
def test_only_cvtpm_names_are_exported(installed, name):
    defined = [n for kind, n in symbols(one(installed, name)) if kind not in "Uwv"]
    assert "cvtpm_engine_native" in defined and len(defined) > 50
    assert [n for n in defined if not n.startswith("cvtpm_")] == []


@pytest.mark.skipif(not WOLFSSL_INSIDE, reason="the installed wolfSSL library is needed, too")
def test_the_core_needs_four_functions(installed):
    needed = {n for kind, n in symbols(one(installed, "libcvtpm-core.a")) if kind == "U"} - {"_GLOBAL_OFFSET_TABLE_"}
    if FLAGS:
        needed = {n for n in needed if not n.startswith(("__asan_", "__ubsan_", "__sanitizer_"))}
    assert needed == MEM


@pytest.mark.parametrize("static", [[], ["--static"]])
@pytest.mark.parametrize("package", ["cvtpm", "cvtpm-core"])
def test_a_program_with_the_same_names_inside(installed, package, static, tmp_path):
    env = {**os.environ, "PKG_CONFIG_SYSROOT_DIR": str(installed),
           "PKG_CONFIG_PATH": str(one(installed, f"{package}.pc").parent)}
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", *static, package, env=env))
    # the packages that cvtpm needs are the system's
    flags = [f.removeprefix(str(installed)) if "cvtpm" not in f and not os.path.exists(f[2:]) else f for f in flags]
    program = tmp_path / "own_names"
    run(*CC, "-std=c11", "-Wall", "-Werror", f"-DWOLFSSL_INSIDE={WOLFSSL_INSIDE:d}", *FLAGS, HERE / "own_names.c", "-o", program, *flags)
    assert run(program) == "a TPM answers\n"


def test_what_firmware_must_give_is_written_down():
    page = (HERE.parents[1] / "docs" / "firmware.md").read_text()
    assert [name for name in sorted(MEM) if f"`{name}`" not in page] == []
