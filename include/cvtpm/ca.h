/*
 * A local certification authority: an issuer of EK and platform certificates
 * that signs only what it has verified.
 *
 * It is a folder (0700) that one administrator made with `cvtpm ca init`:
 *
 *	ca.key       the private key, PEM, ECDSA P-384 or P-256 (0600)
 *	ca.pem       its self-signed certificate, CA:TRUE, pathlen 0
 *	policy.json  what it signs for: {"measurements": [{"digest": HEX, "isolation":
 *	             "svsm" | "process"}], "vmpl": 0, "allow_debug": false}
 *	lab-root.pem a lab root to accept beside AMD's, only where one was named
 *	certs.pem    VCEKs and ASKs for hosts that put no certificate table beside
 *	             reports; optional
 *
 * Before it signs for an EK it verifies the ek-pub report by that policy
 * (cvtpm_verify_evidence). No report, no signature. An RSA key is refused: an EK
 * certificate that it signs does not fit into an NV index of libtpms.
 *
 * Hosted. A CA may be used by one thread at a time; different ones by several.
 */
#ifndef CVTPM_CA_H
#define CVTPM_CA_H

#include "cvtpm/evidence.h"
#include "cvtpm/instance.h"
#include "cvtpm/platform.h"

/* Where messages go: one line of ASCII each, what failed and what to do. */
struct cvtpm_ca_log {
	void (*line)(void *context, enum cvtpm_log_level level, const char *line);
	void *context;
};

struct cvtpm_ca_init {
	const char *name;            /* common name; NULL: "cvtpm local CA" */
	bool p256;                   /* make a P-256 key, not P-384 */
	struct cvtpm_bytes key;      /* a private key of the caller's, PEM; data NULL: make one */
	struct cvtpm_bytes certs;    /* for certs.pem, PEM; data NULL: none */
	struct cvtpm_bytes lab_root; /* for lab-root.pem, PEM; data NULL: none */
	const struct cvtpm_policy *policy; /* measurements, vmpl, allow_debug */
};

/** Makes a CA in `dir`, which is made if it is not there; all or nothing: ca.key
 *  comes last. CVTPM_ERR_STATE: there is one already. CVTPM_ERR_POLICY: `dir` is there and
 *  others may enter it. CVTPM_ERR_UNSUPPORTED: an
 *  RSA key, or another that is neither P-256 nor P-384. CVTPM_ERR_PARAM: no
 *  measurement. CVTPM_ERR_FORMAT: the key, or the lab root, cannot be read.
 *  CVTPM_ERR_IO: errno says why. CVTPM_ERR_CRYPTO. The log has a line for each. */
int cvtpm_ca_init(const char *dir, const struct cvtpm_ca_init *init,
		  const struct cvtpm_ca_log *log);

struct cvtpm_ca;

/** Opens the CA in `dir`. `log` is copied. CVTPM_ERR_NOT_FOUND: there is none.
 *  CVTPM_ERR_POLICY: others may read the folder or the key. CVTPM_ERR_FORMAT: a
 *  file is damaged, or key and certificate do not belong together.
 *  CVTPM_ERR_UNSUPPORTED, CVTPM_ERR_IO, CVTPM_ERR_NO_MEMORY. */
int cvtpm_ca_open(const char *dir, const struct cvtpm_ca_log *log, struct cvtpm_ca **ca);

/** The CA as an issuer for cvtpm_instance_open(); lives as long as the CA. Its
 *  `approve` answers CVTPM_ERR_POLICY for all that did not verify, and logs why. */
const struct cvtpm_issuer *cvtpm_ca_issuer(const struct cvtpm_ca *ca);

/** What it signs for. */
const struct cvtpm_policy *cvtpm_ca_policy(const struct cvtpm_ca *ca);

/** Wipes the key and frees. NULL is allowed. */
void cvtpm_ca_close(struct cvtpm_ca *ca);

#endif
