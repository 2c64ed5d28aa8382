#include "cvtpm/err.h"
#include "cvtpm/snp_providers.h"

#include <errno.h>

/* The device first: it gives derived keys too. A device that is there and cannot
 * be opened is reported if configfs-tsm does not help. */
int cvtpm_snp_provider_detect(struct cvtpm_snp_provider **provider)
{
	int device = cvtpm_sev_guest_open(NULL, provider), because = errno, tree;

	if (device == 0)
		return 0;
	tree = cvtpm_configfs_tsm_open(NULL, provider);
	if (tree == 0)
		return 0;
	if (device == CVTPM_ERR_NOT_FOUND)
		return tree == CVTPM_ERR_UNSUPPORTED ? CVTPM_ERR_NOT_FOUND : tree;
	errno = because;
	return device;
}
