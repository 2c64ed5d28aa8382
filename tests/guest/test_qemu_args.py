"""What `cvtpm qemu-args` prints is enough for a machine with a TPM: run as printed, beside nothing but a kernel."""
import json

import pytest

import cvtpm_test as ct
import doors
from test_doors import event_log
from tpm import GuestTpm

PCR = "cat /sys/class/tpm/tpm0/pcr-sha256/%d"
PPI = "/sys/class/tpm/tpm0/ppi/"


class Printed:
    def __init__(self, folder, *options, serve=doors.EK):
        done = ct.run("qemu-args", "--dir", folder, "--json", *options, "--", *serve)
        assert done.returncode == 0, done.stderr
        self.said = json.loads(done.stdout)
        assert ct.run(*self.said["acpi"][1:]).returncode == 0

    def serve(self):
        return ct.Server(*self.said["serve"][2:])

    def boot(self, machines):
        arguments = list(self.said["qemu"])
        assert arguments[0] == "-machine"
        return machines.boot(*arguments[2:], machine=arguments[1], memory=None, append=self.said.get("kernel", ""))


def pcr(guest, number):
    return guest.run(PCR % number).strip()


def test_an_nvdimm_page_over_resets_and_a_killed_server(machines, short_path):
    printed = Printed(short_path, "--memory", "256M")
    assert printed.said["page_base"] == 1 << 32
    first = printed.serve()
    with printed.boot(machines) as guest:
        boot_aggregate = pcr(guest, 10)
        assert int(boot_aggregate, 16)
        GuestTpm(guest).pcr_extend(11, b"\1" * 32)
        assert int(pcr(guest, 11), 16)
        guest.reset()
        assert pcr(guest, 10) == boot_aggregate and not int(pcr(guest, 11), 16)
        # Who kills the server gets no fresh PCRs, and no TPM at all before the machine's reset.
        GuestTpm(guest).pcr_extend(11, b"\1" * 32)
        first.kill()
        with printed.serve() as second:
            assert "failure mode" in second.ready
            guest.attempt(PCR % 11)
            assert "A TPM error (257) occurred attempting to read a pcr value" in guest.run("dmesg")  # TPM_RC_FAILURE
            guest.reset()
            assert pcr(guest, 10) == boot_aggregate and not int(pcr(guest, 11), 16)
            guest.process.terminate()
            assert second.wait() == 0  # it ends with its machine
    first.__exit__(None, None, None)


@pytest.mark.slow
def test_polled_and_with_memory_above_the_page(machines, short_path):
    printed = Printed(short_path, "--memory", "3G", "--start-method", "7")
    assert printed.said["page_base"] == 5 << 30
    with printed.serve(), printed.boot(machines) as guest:
        assert int(pcr(guest, 10), 16)
        assert "140000000-140000fff : MSFT0101:00" in guest.run("cat /proc/iomem")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["7", "8"])
def test_physical_presence_and_event_log(machines, short_path, method):
    """The stock driver's physical presence files: SetPCRBanks and Clear, carried out at the reset."""
    log = short_path / "log"
    log.write_bytes(event_log())
    printed = Printed(short_path, "--memory", "256M", "--ppi", "allow", "--event-log", log, "-m", method)
    with printed.serve() as server, printed.boot(machines) as guest:
        assert guest.run(f"cat {PPI}version").strip() == "1.3"
        said = guest.run(f"cat {PPI}tcg_operations")
        assert [line.split()[:2] for line in said.splitlines()] == [[n, "4:"] for n in ("0", "5", "14", "21", "22", "23")]
        assert guest.read("/sys/kernel/security/tpm0/binary_bios_measurements") == event_log()
        assert guest.attempt(f"echo 6 > {PPI}request")[1]  # not implemented
        guest.run(f"echo 23 2 > {PPI}request")
        assert guest.run(f"cat {PPI}request").split() == ["23", "2"]
        assert "pcr-sha384" in guest.run("ls /sys/class/tpm/tpm0")
        guest.reset()
        assert guest.run(f"cat {PPI}response").split()[:2] == ["23", "0:"]
        assert "pcr-sha384" not in guest.run("ls /sys/class/tpm/tpm0") and int(pcr(guest, 10), 16)
        guest.run(f"echo 5 > {PPI}request")
        guest.reset()
        assert guest.run(f"cat {PPI}response").split()[:2] == ["5", "0:"]
        assert server.stderr.count("as the guest asked: result 0x0") == 2
        assert guest.read("/sys/kernel/security/tpm0/binary_bios_measurements") == event_log()


@pytest.mark.slow
def test_physical_presence_that_is_blocked(machines, short_path):
    printed = Printed(short_path, "--memory", "256M", "--ppi", "block")
    with printed.serve(), printed.boot(machines) as guest:
        assert "2: Blocked" in guest.run(f"cat {PPI}tcg_operations")
        guest.attempt(f"echo 5 > {PPI}request")
        assert guest.run(f"cat {PPI}request").strip() == "0"
