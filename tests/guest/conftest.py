"""What the guest tests share. Where a guest cannot be had they are skipped, and say why."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import cvtpm_test as ct  # noqa: E402
import guest as g  # noqa: E402


@pytest.fixture(scope="session")
def images():
    try:
        return g.Images()
    except g.Missing as e:
        pytest.skip(str(e))


@pytest.fixture(scope="session")
def initramfs(images, tmp_path_factory):
    return images.initramfs(tmp_path_factory.mktemp("initramfs") / "initrd.gz")


class Machines:
    """Boots guests for one test."""

    def __init__(self, images, initramfs, folder):
        self.images, self.initramfs, self.folder = images, initramfs, folder

    def boot(self, *door, initramfs=None, **how):
        return g.Guest(self.folder, self.images.kernel, initramfs or self.initramfs, door=door, **how)


@pytest.fixture
def machines(images, initramfs, tmp_path):
    return Machines(images, initramfs, tmp_path)


@pytest.fixture
def short_path(tmp_path_factory):
    """A folder with a short name, for Unix sockets."""
    import tempfile
    with tempfile.TemporaryDirectory(prefix="cv", dir=os.environ.get("TMPDIR", "/tmp")) as folder:
        yield pathlib.Path(folder)
