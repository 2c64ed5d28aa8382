/* Keys as swtpm's users give them: in a file or on a descriptor, as digits, bytes or
 * passphrase. What comes out is the key of a sealed store, or of sealed state blobs. */
#include "cli/cli.h"
#include "cli/swtpm.h"
#include "crypto/crypto.h"
#include "crypto/hex.h"
#include "host/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_MAX_SIZE 1024

/* One salt for all: both ends of a migration must come to the same key, and there is
 * nowhere to keep another. So the passphrase itself must be worth a key. */
#define PASSPHRASE_SALT       "cvtpm swtpm passphrase 1"
#define PASSPHRASE_ITERATIONS 210000

#define SHORT_KEY_SIZE 16

void swtpm_key_parse(struct argp_state *state, const char *option, const char *text,
		     struct swtpm_key *key)
{
	const char *fd = NULL, *pwdfd = NULL, *removes = NULL;
	const struct word words[] = {{"file", &key->file, NULL},
				     {"fd", &fd, NULL},
				     {"pwdfile", &key->pwdfile, NULL},
				     {"pwdfd", &pwdfd, NULL},
				     {"mode", &key->mode, NULL},
				     {"format", &key->format, NULL},
				     {"kdf", &key->kdf, NULL},
				     {"remove", &removes, &key->removes},
				     {0}};

	if (key->given)
		argp_error(state, "%s is there twice", option);
	*key = (struct swtpm_key){.given = true, .option = option, .fd = -1, .pwdfd = -1};
	words_parse(state, option, text, key->copy, words);
	if (fd)
		key->fd = words_descriptor(state, option, fd);
	if (pwdfd)
		key->pwdfd = words_descriptor(state, option, pwdfd);
	if ((key->file != NULL) + (fd != NULL) + (key->pwdfile != NULL) + (pwdfd != NULL) != 1)
		argp_error(state, "%s: write one of file=, fd=, pwdfile= and pwdfd=", option);
	if (removes && strcmp(removes, "true") != 0 && strcmp(removes, "false") != 0)
		argp_error(state, "%s: remove=%s: write true or false", option, removes);
	if (removes)
		key->removes = strcmp(removes, "true") == 0;
	if (key->format && (key->pwdfile || pwdfd))
		argp_error(state, "%s: format= is for keys, not for passphrases", option);
	if (key->kdf && (key->file || fd))
		argp_error(state, "%s: kdf= is for passphrases, not for keys", option);
	if (key->format && strcmp(key->format, "hex") != 0 && strcmp(key->format, "binary") != 0)
		argp_error(state, "%s: format=%s: write hex or binary", option, key->format);
	if (key->kdf && strcmp(key->kdf, "pbkdf2") != 0 && strcmp(key->kdf, "sha512") != 0)
		argp_error(state, "%s: kdf=%s: write pbkdf2 or sha512", option, key->kdf);
	if (key->mode && strcmp(key->mode, "aes-cbc") != 0 &&
	    strcmp(key->mode, "aes-128-cbc") != 0 && strcmp(key->mode, "aes-256-cbc") != 0)
		argp_error(state, "%s: mode=%s: write aes-cbc, aes-128-cbc or aes-256-cbc", option,
			   key->mode);
}

/* ---- reading ---- */

/* The whole of it, at most `room` - 1 bytes. */
static int secret_read(const struct swtpm_key *key, uint8_t *out, size_t room, size_t *len)
{
	const char *path = key->file ? key->file : key->pwdfile;
	int fd = key->fd >= 0 ? key->fd : key->pwdfd;
	struct stat st;
	ssize_t n;

	if (path)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || (n = read_whole(fd, out, room)) < 0) {
		cli_error("%s: cannot read %s: %s", key->option, path ? path : "the descriptor",
			  strerror(errno));
		if (fd >= 0)
			close(fd);
		return CLI_FAULT;
	}
	close(fd);
	*len = (size_t)n;
	if (path && (st.st_mode & 077)) {
		cli_error("%s: others may read %s (mode %o): chmod 600 it", key->option, path,
			  (unsigned)(st.st_mode & 07777));
		return CLI_FAULT;
	}
	if (*len == room) {
		cli_error("%s: %s holds more than %zu bytes", key->option,
			  path ? path : "the descriptor", room - 1);
		return CLI_FAULT;
	}
	if (path && key->removes && unlink(path) < 0)
		cli_error("warning: %s: cannot remove %s: %s", key->option, path, strerror(errno));
	return 0;
}

/* ---- what it means ---- */

static size_t key_size(const struct swtpm_key *key)
{
	const bool is_long = key->mode && strcmp(key->mode, "aes-256-cbc") == 0;

	return is_long ? CVTPM_STORE_KEY_SIZE : SHORT_KEY_SIZE;
}

/* Digits with or without "0x" and a line feed, in place. */
static bool digits_decode(uint8_t *text, size_t *len)
{
	uint8_t bytes[CVTPM_STORE_KEY_SIZE];
	const char *digits = (const char *)text;
	size_t count = *len;

	if (count > 0 && digits[count - 1] == '\n')
		count--;
	if (count > 2 && strncasecmp(digits, "0x", 2) == 0)
		digits += 2, count -= 2;
	if (count % 2 || count / 2 > sizeof bytes || !cvtpm_hex_read(digits, bytes, count / 2))
		return false;
	*len = count / 2;
	memcpy(text, bytes, *len);
	cvtpm_wipe(bytes, sizeof bytes);
	return true;
}

static int key_take(const struct swtpm_key *key, uint8_t *secret, size_t len, uint8_t *out)
{
	static const char label[] = "cvtpm 128-bit key";
	const bool binary = key->format && strcmp(key->format, "binary") == 0;
	const size_t size = key_size(key);

	if ((!binary && !digits_decode(secret, &len)) || len != size) {
		cli_error("%s: mode=%s needs a key of %zu %s", key->option,
			  key->mode ? key->mode : "aes-cbc", binary ? size : 2 * size,
			  binary ? "bytes" : "hexadecimal digits");
		return CLI_FAULT;
	}
	if (len == CVTPM_STORE_KEY_SIZE)
		memcpy(out, secret, len);
	else if (cvtpm_hkdf(CVTPM_SHA256, secret, len, NULL, 0, (const uint8_t *)label,
			    sizeof label - 1, out, CVTPM_STORE_KEY_SIZE) < 0)
		return CLI_FAULT;
	return 0;
}

static int passphrase_take(const struct swtpm_key *key, const uint8_t *secret, size_t len,
			   uint8_t *out)
{
	uint8_t digest[64];
	int good;

	if (len > 0 && secret[len - 1] == '\n')
		len--;
	if (len == 0) {
		cli_error("%s: the passphrase is empty", key->option);
		return CLI_FAULT;
	}
	if (key->kdf && strcmp(key->kdf, "sha512") == 0) {
		good = cvtpm_hash(CVTPM_SHA512, secret, len, digest) == 0;
		memcpy(out, digest, CVTPM_STORE_KEY_SIZE);
		cvtpm_wipe(digest, sizeof digest);
	} else {
		good = PKCS5_PBKDF2_HMAC((const char *)secret, (int)len,
					 (const uint8_t *)PASSPHRASE_SALT,
					 sizeof PASSPHRASE_SALT - 1, PASSPHRASE_ITERATIONS,
					 EVP_sha512(), CVTPM_STORE_KEY_SIZE, out);
	}
	if (!good)
		cli_error("%s: no key can be derived from the passphrase", key->option);
	return good ? 0 : CLI_FAULT;
}

int swtpm_key_load(const struct swtpm_key *key, uint8_t out[CVTPM_STORE_KEY_SIZE])
{
	uint8_t secret[SECRET_MAX_SIZE + 1];
	size_t len = 0;
	int status = secret_read(key, secret, sizeof secret, &len);

	if (status == 0)
		status = key->file || key->fd >= 0 ? key_take(key, secret, len, out)
						   : passphrase_take(key, secret, len, out);
	cvtpm_wipe(secret, sizeof secret);
	return status;
}
