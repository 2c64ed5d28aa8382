/*
 * The manifests of the attestation protocol (AMD 58019, 7): what a report over
 * SHA-512(nonce || manifest) vouches for.
 *
 * The services manifest is little-endian, and its GUIDs stand in the mixed order
 * of EFI_GUID (that of a certificate table is another):
 *
 *     0x00  services manifest GUID, u32 total length, u32 number of entries
 *     0x18  for each service: GUID, u32 offset from the start, u32 length
 *           the services' manifests, back to back
 */
#ifndef CVTPM_SVSM_MANIFEST_H
#define CVTPM_SVSM_MANIFEST_H

#include "cvtpm/instance.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SVSM_GUID_SIZE             16
#define SVSM_MANIFEST_HEADER_SIZE  24
#define SVSM_VTPM_MANIFEST_VERSION 0

extern const uint8_t svsm_guid_vtpm[SVSM_GUID_SIZE];     /* c476f1eb-0123-45a5-9641-b4e7dde5bfe3 */
extern const uint8_t svsm_guid_services[SVSM_GUID_SIZE]; /* 63849ebb-3d92-4670-a1ff-58f9c94b87bb */

/** The vTPM's manifest, version 0: the EK's TPMT_PUBLIC. `*len` in: room, out: length.
 *  Errors of cvtpm_instance_ek_public(); CVTPM_ERR_POLICY: see below. */
int svsm_manifest_vtpm(struct cvtpm_instance *instance, enum cvtpm_ek ek, uint8_t *out,
		       size_t *len);

/** The services manifest, whose one service is the vTPM. Errors as above. */
int svsm_manifest_services(struct cvtpm_instance *instance, enum cvtpm_ek ek, uint8_t *out,
			   size_t *len);

/** False for a manifest of a length that must never be signed. The guest chooses the
 *  64 bytes before the manifest; together they must not be as long as the TPM2B_PUBLIC
 *  of an EK, or a report of this protocol could be offered as one of the ek-pub binding. */
bool svsm_manifest_length_is_safe(size_t len);

#endif
