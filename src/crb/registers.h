/*
 * The registers of one locality of the CRB interface (PTP 1.06, tables 24 and
 * 36 to 49), with the specification's names.
 *
 * Every register is a row of `crb_registers`: 32-bit words, so that a 64-bit
 * register has two rows. What a row says drives the accesses; what a register's
 * bits do is in access.c and machine.c.
 */
#ifndef CVTPM_CRB_REGISTERS_H
#define CVTPM_CRB_REGISTERS_H

#include <stdint.h>

/* Offsets within a locality. */
#define TPM_LOC_STATE          0x00
#define TPM_LOC_CTRL           0x08 /* in locality 4: TPM_LOC_CTRL_4 */
#define TPM_LOC_STS            0x0c
#define TPM_DATA_CSUM_ENABLE   0x10
#define TPM_DATA_CSUM          0x14
#define TPM_CRB_INTF_ID        0x30
#define TPM_CRB_INTF_ID_HIGH   0x34
#define TPM_CRB_CTRL_EXT       0x38
#define TPM_CRB_CTRL_REQ       0x40
#define TPM_CRB_CTRL_STS       0x44
#define TPM_CRB_CTRL_CANCEL    0x48
#define TPM_CRB_CTRL_START     0x4c
#define TPM_CRB_INT_ENABLE     0x50
#define TPM_CRB_INT_STS        0x54
#define TPM_CRB_CTRL_CMD_SIZE  0x58
#define TPM_CRB_CTRL_CMD_LADDR 0x5c
#define TPM_CRB_CTRL_CMD_HADDR 0x60
#define TPM_CRB_CTRL_RSP_SIZE  0x64
#define TPM_CRB_CTRL_RSP_ADDR  0x68
#define TPM_CRB_CTRL_RSP_HADDR 0x6c /* upper half of RSP_ADDR */
#define TPM_CRB_DATA_BUFFER    0x80

/* TPM_LOC_STATE_x, the same in all localities */
#define LOC_STATE_tpmEstablished       (1u << 0) /* 1: no D-RTM since the flag was reset */
#define LOC_STATE_locAssigned          (1u << 1)
#define LOC_STATE_activeLocality_SHIFT 2
#define LOC_STATE_activeLocality_MASK  (7u << 2)
#define LOC_STATE_tpmRegValidSts       (1u << 7)

/* TPM_LOC_CTRL_x, localities 0 to 3 */
#define LOC_CTRL_requestAccess         (1u << 0)
#define LOC_CTRL_Relinquish            (1u << 1)
#define LOC_CTRL_Seize                 (1u << 2)
#define LOC_CTRL_resetEstablishmentBit (1u << 3) /* from localities 3 and 4 */

/* TPM_LOC_CTRL_4 */
#define LOC_CTRL_4_TPM_HASH_START (1u << 0)
#define LOC_CTRL_4_TPM_HASH_DATA  (1u << 1)
#define LOC_CTRL_4_TPM_HASH_END   (1u << 2)

/* TPM_LOC_STS_x */
#define LOC_STS_Granted    (1u << 0)
#define LOC_STS_beenSeized (1u << 1)

/* TPM_CRB_INTF_ID_x, low word */
#define INTF_ID_InterfaceType_MASK    0x0000000fu
#define INTF_ID_InterfaceType_CRB     0x00000001u
#define INTF_ID_InterfaceVersion_MASK 0x000000f0u
#define INTF_ID_InterfaceVersion_CRB  0x00000010u
#define INTF_ID_CapLocality           (1u << 8)
#define INTF_ID_CapCRBIdleBypass      (1u << 9)
#define INTF_ID_CapDataXferSize_64    (3u << 11)
#define INTF_ID_CapCRB                (1u << 14)
#define INTF_ID_InterfaceSelector_CRB (1u << 17)
#define INTF_ID_RID_SHIFT             24
#define INTF_ID_DID_SHIFT             16 /* in the high word, above VID */

/* TPM_CRB_CTRL_REQ_x */
#define CTRL_REQ_cmdReady (1u << 0)
#define CTRL_REQ_goIdle   (1u << 1)

/* TPM_CRB_CTRL_STS_x */
#define CTRL_STS_tpmSts  (1u << 0) /* a fatal error, until the next reset */
#define CTRL_STS_tpmIdle (1u << 1)

/* TPM_CRB_CTRL_CANCEL_x */
#define CTRL_CANCEL_Cancel (1u << 0)

/* TPM_CRB_CTRL_START_x; nextChunk (bit 2) belongs to chunking, which is not offered */
#define CTRL_START_Start       (1u << 0)
#define CTRL_START_crbRspRetry (1u << 1)

/* TPM_CRB_INT_ENABLE_x and TPM_CRB_INT_STS_x */
#define INT_start                 (1u << 0)
#define INT_cmdReady              (1u << 1)
#define INT_establishmentClear    (1u << 2)
#define INT_localityChange        (1u << 3)
#define INT_globalInterruptEnable (1u << 31)

/* cvtpm_crb.active when no locality is. */
#define CRB_NO_LOCALITY 0xff

enum crb_access {
	CRB_RESERVED = 0, /* reads 0; writes are ignored */
	CRB_READ_ONLY,
	CRB_READ_WRITE,       /* bits not written by a narrow access stay */
	CRB_WRITE_ONE_ACTS,   /* a 1 asks for something; a 0 is ignored */
	CRB_WRITE_ONE_CLEARS, /* a 1 clears the bit; a 0 is ignored */
};

/* Whose writes count. */
enum crb_writer {
	CRB_ANY_LOCALITY,
	CRB_ACTIVE_LOCALITY,
};

struct crb_register {
	const char *name;
	enum crb_access access;
	enum crb_writer writer;
	uint32_t writable; /* bits that take writes */
	uint32_t reset;    /* value at reset, of locality 0 with the default configuration */
};

#define CRB_REGISTERS 32 /* words below the data buffer */

/* Indexed by offset / 4. */
extern const struct crb_register crb_registers[CRB_REGISTERS];

#endif
