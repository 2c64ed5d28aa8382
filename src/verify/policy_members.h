/*
 * The members of a policy file that are objects, lists or words of their own
 * (docs/policy.md): for each a reader, and of what it fills. Errors are policy_fail()'s.
 */
#ifndef VERIFY_POLICY_MEMBERS_H
#define VERIFY_POLICY_MEMBERS_H

#include "verify/policy_json.h"

/* policy_report.c */
policy_read policy_read_measurements; /* struct cvtpm_policy */
policy_read policy_read_guest_policy; /* struct cvtpm_policy */
policy_read policy_read_platform;     /* struct cvtpm_policy */
policy_read policy_read_minimum_tcb;  /* struct cvtpm_policy */
policy_read policy_read_firmware;     /* struct cvtpm_policy */
policy_read policy_read_mitigations;  /* struct cvtpm_policy */
policy_read policy_read_products;     /* unsigned: a bit for each */
policy_read policy_read_signing_keys; /* unsigned: a bit for each */
policy_read policy_read_chips;        /* struct cvtpm_values */
policy_read policy_read_key_digests;  /* struct cvtpm_values of `detail` bytes each */

/* policy_certificates.c */
policy_read policy_read_ek;        /* struct cvtpm_policy */
policy_read policy_read_lab_roots; /* struct cvtpm_policy */

/* policy_quote.c */
policy_read policy_read_pcrs;      /* struct cvtpm_policy */
policy_read policy_read_event_log; /* struct cvtpm_policy */

#endif
