"""What the libvirt tests share. Where libvirt or a guest cannot be had they are skipped, and say why."""
import os
import pathlib
import shutil
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
for folder in ("support", "guest", "libvirt"):
    sys.path.insert(0, str(TESTS / folder))
import cvtpm_test as ct  # noqa: E402
import guest as g  # noqa: E402
import host as h  # noqa: E402


@pytest.fixture(scope="session")
def programs():
    """The folder with our swtpm, swtpm_setup and swtpm_ioctl."""
    return pathlib.Path(ct.CVTPM).resolve().parent / "swtpm"


@pytest.fixture(scope="session")
def images():
    if not shutil.which("virsh"):
        pytest.skip("libvirt is not installed (make deps-libvirt)")
    if os.getuid() != 0:
        pytest.skip("these tests run as root")
    try:
        return g.Images()
    except g.Missing as e:
        pytest.skip(str(e))


@pytest.fixture(scope="session")
def initramfs(images, tmp_path_factory):
    return images.initramfs(tmp_path_factory.mktemp("initramfs") / "initrd.gz")


@pytest.fixture(scope="module")
def host(images, programs):
    with h.Host(programs) as host:
        yield host


@pytest.fixture
def define(host, images, initramfs):
    """Defines domains, and removes those that are left."""
    made = []

    def make(**how):
        made.append(host.define(images.kernel, initramfs, **how))
        return made[-1]

    yield make
    for domain in made:
        host.attempt("destroy", domain.name)
        host.attempt("undefine", domain.name, "--tpm", "--managed-save", "--snapshots-metadata")
