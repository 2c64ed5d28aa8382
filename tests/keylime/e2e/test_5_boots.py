"""The same machine, started again."""
import hashlib
import subprocess

import lab
from one_machine import RSA_CERTIFICATE
from watch import added, turned_away

REPORT_INDEX = "0x014C0002"  # of the RSA 2048 EK


def test_a_second_boot_of_an_ephemeral_machine_has_a_new_ek_and_uuid_and_attests(site):
    before = [site.uuid, (site.work / "ek.pub").read_bytes()]
    site.stop_machine()
    site.start_tpm()
    site.boot()
    site.start_agent()
    assert site.uuid != before[0] and (site.work / "ek.pub").read_bytes() != before[1]
    added(site, *site.make_policies())
    site.delete()
    site.stop_machine()


def test_a_second_boot_of_a_persistent_machine_is_the_same_machine(site):
    """Same EK and EK certificate, same UUID, and a report index that speaks of the new boot."""
    site.stop_machine()
    state = site.work / "state"
    subprocess.run([site.cvtpm, "manufacture", "--state", state, "--lab", "--lab-dir", site.lab, "--ek", "rsa2048",
                    "--pcr-banks", "sha1,sha256"], check=True, capture_output=True, timeout=300)
    boots = []
    for boot in range(2):
        site.start_tpm("--state", state)
        site.boot()
        site.tpm2("nvread", "-Q", REPORT_INDEX, "-o", "report.bin")
        if boot and not site.rust_agent:  # this agent makes a new AK at each start
            turned_away(site, "Changed fields: aik_tpm. This indicates", "different TPM identity is forbidden")
            site.forget()
        site.start_agent()
        added(site, *site.make_policies())
        site.delete()
        boots.append([site.uuid, *((site.work / name).read_bytes() for name in ("ek.pub", "ek.der", "report.bin"))])
        site.stop_machine()
    assert boots[0][:3] == boots[1][:3]
    first, second = (boot[3] for boot in boots)
    assert first[0x50:0x90] == second[0x50:0x90] == hashlib.sha512(boots[0][2]).digest()
    assert first[0x140:0x160] != second[0x140:0x160]  # REPORT_ID


def test_a_machine_whose_certificate_was_replaced_is_turned_away(site):
    """On a persistent TPM its guest can do that; an agent reads and sends it."""
    site.start_tpm("--state", site.work / "state")
    site.forget()
    der = lab.Ek("rsa2048").certificate()
    (site.work / "other.der").write_bytes(der)
    site.tpm2("nvundefine", "-Q", "-C", "p", RSA_CERTIFICATE)
    site.tpm2("nvdefine", "-Q", "-C", "p", "-s", len(der), "-a",
              "ppwrite|ppread|ownerread|authread|no_da|platformcreate", RSA_CERTIFICATE)
    site.tpm2("nvwrite", "-Q", "-C", "p", "-i", "other.der", RSA_CERTIFICATE)
    site.boot()
    turned_away(site, "ek_tpm must contain the same public key found in ekcert", "Could not register agent")
    site.stop_machine()
