"""What the verifier finds later. Each test leaves a PCR behind that the next one's policy does not look at."""
import json

from watch import ONE, ZERO, added, failed


def test_an_ima_list_that_pcr_10_contradicts_fails_the_machine(site):
    added(site, *site.policies)
    site.tpm2("pcrextend", "10:sha1=" + "01" * 20 + ",sha256=" + ONE)
    assert failed(site) == "ima.pcr_mismatch"


def test_a_boot_that_the_measured_boot_policy_does_not_know_fails_the_machine(site):
    site.tpm2("pcrextend", "9:sha256=" + ONE)
    status, out = site.add("--mb-policy", site.work / "mb.json")
    assert status == 0, out
    assert failed(site) == "measured_boot.invalid_pcr_9"


def test_an_empty_measured_boot_policy_looks_at_nothing(site):
    """Keylime's trap, which docs/keylime.md warns of: the machine that the test before has failed passes."""
    (site.work / "empty.json").write_text("{}")
    added(site, "--mb-policy", site.work / "empty.json")
    site.delete()


def test_a_pcr_that_the_tpm_policy_rules_fails_the_machine(site):
    added(site, "--tpm_policy", json.dumps({"15": [ZERO]}))
    site.tpm2("pcrextend", "15:sha256=" + ONE)
    assert failed(site) == "pcr_validation.invalid_pcr_15"
