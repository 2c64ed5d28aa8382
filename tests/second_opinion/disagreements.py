"""Where others answer otherwise than `cvtpm verify`, and why: verifier, its answer, reason, cases.

A disagreement that is not here fails the test, and so does one that is here and no longer happens.
"""
GO_TURIN = "go-sev-guest takes no VCEK of a Turin: it does not know the extension 3.9 (FMC), and wants a HWID of 64 bytes"
PARAMETERS = "verifies with whatever signature parameters the certificate names; AMD's are SHA-384 and a salt of 48 bytes"

EACH_CHIP = ["Milan v2", "Milan v3", "Milan v5", "Genoa v3", "Genoa v5", "Turin v5"]
OTHERS = [name for name in EACH_CHIP if name != "Milan v3"] + ["Milan VLEK v3"]

DISAGREEMENTS = [
    # ---- genuine evidence ----
    ("check", "no", "COMMITTED_TCB is below CURRENT_TCB: check wants -provisional=true for that; for us it is a warning, "
     "since machines in the field are so", ["coco-trustee/test-report", "coco-trustee/hcl-report"]),
    ("check", "no", "its VLEK has ended; check has no option for a time, our peer around the same package has",
     ["coco-trustee/test-vlek-report"]),
    ("check", "no", GO_TURIN, ["routex-lua/report-turin-v5", "lab Turin v5", "Turin v5"]),
    ("peer", "no", GO_TURIN, ["routex-lua/report-turin-v5", "lab Turin v5", "Turin v5"]),
    *((who, "no", "family 19, models A0 to AF (Bergamo, Siena) are unknown to go-sev-guest; AMD signs them under Genoa's keys",
       ["unusual: a Bergamo"]) for who in ("check", "peer")),

    # ---- faults that go-sev-guest lets pass ----
    *((who, "yes", why, [case]) for who in ("check", "peer") for why, case in (
        ("no path length is demanded; AMD's ASK has 0, so nothing but it signs a VCEK", "Milan v3: ASK: a CA may be under it"),
        ("any RSA key size is taken; AMD's are 4096 bits", "Milan v3: ASK: RSA 2048"),
        ("from version 3 on the product is taken from the report, and a certificate that contradicts is not looked at",
         "Milan v3: VCEK: another product's name"))),

    # ---- faults that openssl lets pass ----
    ("openssl", "yes", PARAMETERS, ["Milan v3: VCEK: salt of 32 bytes", "Milan v3: VCEK: PKCS #1 v1.5",
                                    "Milan v3: VCEK: PSS with SHA-256", "Milan v3: ASK: salt of 32 bytes"]),

    # ---- faults that snpguest lets pass ----
    ("snpguest", "yes", PARAMETERS, ["Milan v3: VCEK: salt of 32 bytes", "Milan v3: VCEK: PKCS #1 v1.5",
                                     "Milan v3: VCEK: PSS with SHA-256", "Milan v3: ASK: salt of 32 bytes"]),
    ("snpguest", "yes", "dates are not looked at",
     ["coco-trustee/test-vlek-report after its VLEK has ended", "Milan v3: VCEK: its dates are over",
      "Milan v3: VCEK: its dates are still to come", *(name + ": its dates are over" for name in OTHERS)]),
    ("snpguest", "yes", "CHIP_ID is not compared where the common name is SEV-VCEK, as it is in all of AMD's",
     [name + ": another chip" for name in EACH_CHIP]),
    ("snpguest", "yes", "a TCB part that the certificate does not have is not compared",
     ["Milan v3: VCEK: no TCB part 3.4", "Milan v3: VCEK: no microcode part 3.8",
      *(name + ": no SNP part 3.3" for name in OTHERS)]),
    ("snpguest", "yes", "of a certificate's extensions only the TCB parts are looked at",
     ["Milan v3: VCEK: no chip", "Milan v3: VCEK: no product name", "Milan v3: VCEK: another product's name",
      "Milan v3: VCEK: an extension of nobody", "Milan v3: VCEK: a critical extension of nobody",
      "Milan v3: VCEK: an unknown extension of AMD's", "Milan VLEK v3: no provider"]),
    ("snpguest", "yes", "names are not looked at",
     ["Milan v3: ASK: name of no product", "Milan v3: VCEK: another organisation", "Milan v3: VCEK: two organisations",
      "Milan VLEK v3: ASVK named as an ASK"]),
    ("snpguest", "yes", "neither the CA bit nor a path length is looked at",
     ["Milan v3: ASK: not a CA", "Milan v3: ASK: a CA may be under it"]),
    ("snpguest", "yes", "any key is taken that verifies", ["Milan v3: ASK: RSA 2048", "Milan v3: VCEK: P-256"]),
    ("snpguest", "yes", "any root is taken that signed itself", ["Milan v3: a root with AMD's name"]),
    ("snpguest", "yes", "there is no option for it",
     ["Milan v3: another measurement is expected", "Milan v3: another VMPL is expected"]),
    ("snpguest", "yes", "the field is not looked at",
     ["Milan v3: guest policy: bit 26", "Milan v3: guest policy: bit 17 clear", "Milan v3: signature algorithm 2",
      "Milan v3: family and model of a Genoa", "Milan v3: signer: reserved bit 5",
      "Milan v3: signer: a VLEK, signed by a VCEK", "Milan VLEK v3: signer: a VCEK, signed by a VLEK",
      "Milan v3: committed TCB above the current"]),
    ("snpguest", "yes", "a version above 5 is read as version 5", ["Milan v3: version 6"]),
    ("snpguest", "yes", "what stands behind the signature is not looked at", ["Milan v3: the last byte"]),
]
