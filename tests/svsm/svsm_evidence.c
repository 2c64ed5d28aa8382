/*
 * What a guest gets from SVSM_ATTEST_SINGLE_SERVICE, as files, for verifiers that are
 * not ours; then, if wanted, the same TPM behind our raw socket.
 *
 * usage: svsm_evidence LAB FOLDER rsa2048|p256 VMPL GUEST-POLICY [ADDR:PORT]
 *
 * FOLDER gets report.bin, certs.bin (the host's table), report.ext (one behind the other),
 * manifest.bin, nonce (hexadecimal), and ek.tpmt, which TPM2_CreatePrimary returned. With an
 * address it says "ready: ..." and serves until SIGTERM.
 */
#include "guest.h"

#include "cvtpm/serve.h"

static const char *folder;

static void put(const char *name, const uint8_t *data, size_t len, const uint8_t *more,
		size_t more_len)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "wb");
	if (!file || fwrite(data, 1, len, file) != len ||
	    (more_len && fwrite(more, 1, more_len, file) != more_len) || fclose(file)) {
		perror(path);
		exit(2);
	}
}

static void put_nonce(const struct attest *a)
{
	char hex[2 * sizeof a->nonce + 1];

	for (size_t i = 0; i < sizeof a->nonce; i++)
		snprintf(hex + 2 * i, 3, "%02x", a->nonce[i]);
	put("nonce", (const uint8_t *)hex, 2 * sizeof a->nonce, NULL, 0);
}

static void put_ek(struct guest *g, enum cvtpm_ek kind)
{
	uint8_t template[CVTPM_EK_PUBLIC_MAX_SIZE];
	size_t len = cvtpm_ek_template_write(cvtpm_ek_template_of(kind), template);
	struct tpm_value area;
	uint32_t key;

	assert_int_equal(
		tpm_create_primary(&g->client, TPM_RH_ENDORSEMENT, template, len, &key, &area), 0);
	put("ek.tpmt", area.bytes, area.len, NULL, 0);
	assert_int_equal(tpm_flush_context(&g->client, key), 0);
}

static void put_evidence(struct guest *g)
{
	struct attest a;

	guest_attest_begin(&a, true);
	assert_int_equal(attest_as_linux(g, &a), SVSM_SUCCESS);
	put("report.bin", guest_at(g, a.report.address), a.report.len, NULL, 0);
	put("certs.bin", guest_at(g, a.certificates.address), a.certificates.len, NULL, 0);
	put("report.ext", guest_at(g, a.report.address), a.report.len,
	    guest_at(g, a.certificates.address), a.certificates.len);
	put("manifest.bin", guest_at(g, a.manifest.address), a.manifest.len, NULL, 0);
	put_nonce(&a);
}

static void say(void *context, const char *line)
{
	(void)context;
	puts(line);
	fflush(stdout);
}

/* The TPM lives on in its store. */
static int serve(struct guest *g, const char *address)
{
	const struct cvtpm_serve_config config = {
		.platform = &g->platform,
		.instance = &g->config,
		.startup = CVTPM_SERVE_STARTUP_CLEAR,
		.tcp = address,
		.ready = say,
	};

	cvtpm_instance_close(g->instance);
	g->instance = NULL;
	return cvtpm_serve(&config) < 0 ? 2 : 0;
}

int main(int argc, char **argv)
{
	static struct guest guest;
	struct cvtpm_amdsp_config launch = {0};
	struct cvtpm_amdsp_lab *lab;
	enum cvtpm_ek ek;
	int status = 0;

	if (argc < 6 || argc > 7) {
		fprintf(stderr, "usage: svsm_evidence LAB FOLDER rsa2048|p256 VMPL GUEST-POLICY "
				"[ADDR:PORT]\n");
		return 2;
	}
	folder = argv[2];
	ek = strcmp(argv[3], "p256") == 0 ? CVTPM_EK_P256 : CVTPM_EK_RSA2048;
	launch.vmpl = (uint32_t)strtoul(argv[4], NULL, 0);
	launch.policy = strtoull(argv[5], NULL, 0);
	if (cvtpm_amdsp_lab_open(argv[1], &lab) != 0) {
		fprintf(stderr, "svsm_evidence: %s: no lab\n", argv[1]);
		return 2;
	}
	guest_launch(&guest, lab, &launch, ek);
	put_evidence(&guest);
	put_ek(&guest, ek);
	if (argc == 7)
		status = serve(&guest, argv[6]);
	guest_close(&guest);
	cvtpm_amdsp_lab_close(lab);
	return status;
}
