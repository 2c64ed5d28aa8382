"""Root in a guest has the CRB page: whatever it writes there, it never gets fresh PCRs, and harms itself only."""
import pytest

import cvtpm_test as ct
import doors
from tpm import GuestTpm

DRIVER = "/sys/bus/acpi/drivers/tpm_crb"
ATTACKS = ["zeros", "ones", "noise", "platform-registers", "half-a-command", "second-startup"]


def bind(guest):
    """The driver finds the TPM again. Its device has a new number, for IMA holds the old one."""
    guest.run(f"[ -e {DRIVER}/MSFT0101:00 ] || echo MSFT0101:00 >{DRIVER}/bind")
    return GuestTpm(guest, "/dev/" + guest.run(f"ls {DRIVER}/MSFT0101:00/tpm").strip())


def unbind(guest):
    guest.run(f"[ ! -e {DRIVER}/MSFT0101:00 ] || echo MSFT0101:00 >{DRIVER}/unbind")


@pytest.mark.parametrize("method", [8, pytest.param(7, marks=pytest.mark.slow)])
def test_nothing_that_a_guest_writes_resets_the_tpm(machines, short_path, method):
    page = doors.Page(short_path, method=method)
    with page.serve() as server:
        with machines.boot(*page.door, **{**page.how, "append": "iomem=relaxed"}) as guest:
            tpm = GuestTpm(guest)
            tpm.pcr_extend(11, b"\x11" * 32)
            measured, booted = tpm.pcr_read(11), tpm.pcr_read(10)
            for attack in ATTACKS:
                unbind(guest)
                guest.run(f"guest page {hex(page.base)} {attack}")
                tpm = bind(guest)
                assert tpm.pcr_read(11) == measured and tpm.pcr_read(10) == booted, attack
                assert tpm.startup() == tpm.startup(state=True) == ct.RC_INITIALIZE, attack

            # While the driver works: whose commands are spoilt is the guest's own affair.
            guest.run(f"guest page {hex(page.base)} scribble & guest workload {tpm.device} 60 nonce; wait")
            unbind(guest)
            tpm = bind(guest)
            assert tpm.startup() == ct.RC_INITIALIZE
            assert tpm.pcr_read(11) != bytes(32)
            assert len(tpm.get_random(8)) == 8
        assert server.process.poll() is None and server.stop() == 0
