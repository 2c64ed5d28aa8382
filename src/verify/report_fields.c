/* AMD 56860, table ATTESTATION_REPORT; POLICY and PLATFORM_INFO ibid. */
#include "verify/report_fields.h"

struct versioned_field {
	uint8_t first, last; /* versions */
	struct report_field field;
};

static const struct versioned_field fields[] = {
	{2, 5, {0x000, 4, FIELD_NUMBER, "VERSION", "layout of this report"}},
	{2,
	 5,
	 {0x004, 4, FIELD_NUMBER, "GUEST_SVN", "security version that the guest's ID block gave"}},
	{2, 5, {0x008, 8, FIELD_BITS, "POLICY", "what the guest allows its host"}},
	{2, 5, {0x010, 16, FIELD_BYTES, "FAMILY_ID", "from the ID block"}},
	{2, 5, {0x020, 16, FIELD_BYTES, "IMAGE_ID", "from the ID block"}},
	{2, 5, {0x030, 4, FIELD_NUMBER, "VMPL", "privilege level that asked"}},
	{2, 5, {0x034, 4, FIELD_NUMBER, "SIGNATURE_ALGO", "1: ECDSA P-384 with SHA-384"}},
	{2, 5, {0x038, 8, FIELD_BYTES, "CURRENT_TCB", "firmware that runs now"}},
	{2, 5, {0x040, 8, FIELD_BITS, "PLATFORM_INFO", "what the host switched on"}},
	{2, 5, {0x048, 4, FIELD_BITS, "SIGNER_INFO", "which key signed"}},
	{2, 5, {0x04C, 4, FIELD_RESERVED, "reserved", ""}},
	{2, 5, {0x050, 64, FIELD_BYTES, "REPORT_DATA", "chosen by who asked: the binding"}},
	{2, 5, {0x090, 48, FIELD_BYTES, "MEASUREMENT", "SHA-384 of what was launched"}},
	{2, 5, {0x0C0, 32, FIELD_BYTES, "HOST_DATA", "chosen by the host"}},
	{2, 5, {0x0E0, 48, FIELD_BYTES, "ID_KEY_DIGEST", "who signed the ID block"}},
	{2, 5, {0x110, 48, FIELD_BYTES, "AUTHOR_KEY_DIGEST", "who signed that key; zero: nobody"}},
	{2, 5, {0x140, 32, FIELD_BYTES, "REPORT_ID", "this boot of this guest"}},
	{2, 5, {0x160, 32, FIELD_BYTES, "REPORT_ID_MA", "its migration agent; all ff: none"}},
	{2, 5, {0x180, 8, FIELD_BYTES, "REPORTED_TCB", "firmware that the signing key stands for"}},
	{2, 2, {0x188, 24, FIELD_RESERVED, "reserved", ""}},
	{3, 5, {0x188, 1, FIELD_BITS, "CPUID_FAM_ID", "family of the processor"}},
	{3, 5, {0x189, 1, FIELD_BITS, "CPUID_MOD_ID", "model"}},
	{3, 5, {0x18A, 1, FIELD_NUMBER, "CPUID_STEP", "stepping"}},
	{3, 5, {0x18B, 21, FIELD_RESERVED, "reserved", ""}},
	{2, 5, {0x1A0, 64, FIELD_BYTES, "CHIP_ID", "the processor; zero: masked, or a VLEK"}},
	{2, 5, {0x1E0, 8, FIELD_BYTES, "COMMITTED_TCB", "firmware that the host may go back to"}},
	{2, 5, {0x1E8, 1, FIELD_NUMBER, "CURRENT_BUILD", "of the firmware"}},
	{2, 5, {0x1E9, 1, FIELD_NUMBER, "CURRENT_MINOR", ""}},
	{2, 5, {0x1EA, 1, FIELD_NUMBER, "CURRENT_MAJOR", ""}},
	{2, 5, {0x1EB, 1, FIELD_RESERVED, "reserved", ""}},
	{2, 5, {0x1EC, 1, FIELD_NUMBER, "COMMITTED_BUILD", ""}},
	{2, 5, {0x1ED, 1, FIELD_NUMBER, "COMMITTED_MINOR", ""}},
	{2, 5, {0x1EE, 1, FIELD_NUMBER, "COMMITTED_MAJOR", ""}},
	{2, 5, {0x1EF, 1, FIELD_RESERVED, "reserved", ""}},
	{2, 5, {0x1F0, 8, FIELD_BYTES, "LAUNCH_TCB", "firmware that launched the guest"}},
	{5, 5, {0x1F8, 8, FIELD_BITS, "LAUNCH_MIT_VECTOR", "mitigations at launch"}},
	{5, 5, {0x200, 8, FIELD_BITS, "CURRENT_MIT_VECTOR", "mitigations now"}},
	{2, 4, {0x1F8, 16, FIELD_RESERVED, "reserved", ""}},
	{2, 5, {0x208, 152, FIELD_RESERVED, "reserved", ""}},
	{2, 5, {0x2A0, 48, FIELD_BYTES, "SIGNATURE r", "little-endian"}},
	{2, 5, {0x2D0, 24, FIELD_RESERVED, "padding of r", ""}},
	{2, 5, {0x2E8, 48, FIELD_BYTES, "SIGNATURE s", "little-endian"}},
	{2, 5, {0x318, 24, FIELD_RESERVED, "padding of s", ""}},
	{2, 5, {0x330, 368, FIELD_RESERVED, "rest of SIGNATURE", ""}},
};

const struct report_field *report_field_at(uint32_t version, size_t i)
{
	if (version < 2 || version > 5)
		version = 2;
	for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++)
		if (version >= fields[k].first && version <= fields[k].last && i-- == 0)
			return &fields[k].field;
	return NULL;
}

const struct report_bit report_policy_bits[] = {
	{16, "simultaneous multithreading allowed", "simultaneous multithreading not allowed"},
	{18, "migration agent allowed", "migration agent not allowed"},
	{19, "debugging by the host allowed", "debugging by the host not allowed"},
	{20, "one socket only", "more than one socket allowed"},
	{21, "CXL devices allowed", "CXL devices not allowed"},
	{22, "AES-256-XTS memory encryption required", "any memory encryption mode"},
	{23, "RAPL must be off", "RAPL may be on"},
	{24, "ciphertext hiding required", "ciphertext hiding not required"},
	{25, "page swapping disabled", "page swapping not disabled"},
	{0, NULL, NULL},
};

const struct report_bit report_platform_bits[] = {
	{0, "simultaneous multithreading on", "simultaneous multithreading off"},
	{1, "TSME on", "TSME off"},
	{2, "ECC memory", "no ECC memory"},
	{3, "RAPL off", "RAPL on"},
	{4, "ciphertext hiding on", "ciphertext hiding off"},
	{5, "alias check complete", "alias check not complete"},
	{7, "TIO on", "TIO off"},
	{0, NULL, NULL},
};
