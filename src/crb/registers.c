#include "crb/registers.h"

#define ROW(offset, access, writer, writable, reset)                                               \
	[(offset) / 4] = {#offset, access, writer, writable, reset}
#define INT_BITS (INT_start | INT_cmdReady | INT_establishmentClear | INT_localityChange)

/* The optional registers TPM_DATA_CSUM_ENABLE, TPM_DATA_CSUM and
 * TPM_CRB_CTRL_EXT are not offered: no row, so they read 0, which says so. */
/* clang-format off */
const struct crb_register crb_registers[CRB_REGISTERS] = {
	ROW(TPM_LOC_STATE,          CRB_READ_ONLY,        CRB_ANY_LOCALITY,    0,    0x81),
	ROW(TPM_LOC_CTRL,           CRB_WRITE_ONE_ACTS,   CRB_ANY_LOCALITY,    0xf,  0),
	ROW(TPM_LOC_STS,            CRB_READ_ONLY,        CRB_ANY_LOCALITY,    0,    0),
	ROW(TPM_CRB_INTF_ID,        CRB_READ_ONLY,        CRB_ANY_LOCALITY,    0,    0x25811),
	ROW(TPM_CRB_INTF_ID_HIGH,   CRB_READ_ONLY,        CRB_ANY_LOCALITY,    0,    0),
	ROW(TPM_CRB_CTRL_REQ,       CRB_WRITE_ONE_ACTS,   CRB_ACTIVE_LOCALITY, 0x3,  0),
	ROW(TPM_CRB_CTRL_STS,       CRB_READ_ONLY,        CRB_ANY_LOCALITY,    0,    0x2),
	ROW(TPM_CRB_CTRL_CANCEL,    CRB_READ_WRITE,       CRB_ACTIVE_LOCALITY, 0x1,  0),
	ROW(TPM_CRB_CTRL_START,     CRB_WRITE_ONE_ACTS,   CRB_ACTIVE_LOCALITY, 0x3,  0),
	ROW(TPM_CRB_INT_ENABLE,     CRB_READ_WRITE,       CRB_ACTIVE_LOCALITY,
	    INT_globalInterruptEnable | INT_BITS, 0),
	ROW(TPM_CRB_INT_STS,        CRB_WRITE_ONE_CLEARS, CRB_ACTIVE_LOCALITY, INT_BITS, 0),
	ROW(TPM_CRB_CTRL_CMD_SIZE,  CRB_READ_ONLY,        CRB_ANY_LOCALITY,    0,    0xf80),
	ROW(TPM_CRB_CTRL_CMD_LADDR, CRB_READ_ONLY,        CRB_ANY_LOCALITY,    0,    0xfed40080),
	ROW(TPM_CRB_CTRL_CMD_HADDR, CRB_READ_ONLY,        CRB_ANY_LOCALITY,    0,    0),
	ROW(TPM_CRB_CTRL_RSP_SIZE,  CRB_READ_ONLY,        CRB_ANY_LOCALITY,    0,    0xf80),
	ROW(TPM_CRB_CTRL_RSP_ADDR,  CRB_READ_ONLY,        CRB_ANY_LOCALITY,    0,    0xfed40080),
	ROW(TPM_CRB_CTRL_RSP_HADDR, CRB_READ_ONLY,        CRB_ANY_LOCALITY,    0,    0),
};
/* clang-format on */
