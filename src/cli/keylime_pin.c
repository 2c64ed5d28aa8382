/*
 * Pins: what an agent's report was when the operator enrolled it, a small JSON file
 * for each AGENT_UUID, for people to read and to write:
 *
 *     {"report_id": "64 hexadecimal digits", "host_data": "64 hexadecimal digits"}
 *
 * At least one of the two; "_comment" is for people.
 */
#include "cli/keylime.h"

#include "crypto/hex.h"
#include "snp/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUE_SIZE SNP_REPORT_ID_SIZE /* of HOST_DATA, too */

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

bool keylime_uuid_is_plain(const char *uuid)
{
	const size_t len = strlen(uuid);

	return len >= 1 && len <= 128 && strspn(uuid, plain) == len && uuid[0] != '.' &&
	       uuid[0] != '_';
}

static bool pin_path(const char *dir, const char *uuid, char path[4096],
		     char line[KEYLIME_LINE_SIZE])
{
	if (snprintf(path, 4096, "%s/%s.json", dir, uuid) < 4096)
		return true;
	snprintf(line, KEYLIME_LINE_SIZE, "the folder of the pins has too long a name");
	return false;
}

static enum keylime_pin compare_value(const char *path, const char *name, const char *pinned,
				      const uint8_t *found, char line[KEYLIME_LINE_SIZE])
{
	char hex[2 * VALUE_SIZE + 1];
	uint8_t value[VALUE_SIZE];

	if (!pinned)
		return KEYLIME_PIN_KEPT;
	if (strlen(pinned) != 2 * VALUE_SIZE || !cvtpm_hex_read(pinned, value, VALUE_SIZE)) {
		snprintf(line, KEYLIME_LINE_SIZE, "%.1000s: %s is not %d hexadecimal digits", path,
			 name, 2 * VALUE_SIZE);
		return KEYLIME_PIN_FAULT;
	}
	if (!memcmp(value, found, VALUE_SIZE))
		return KEYLIME_PIN_KEPT;
	cvtpm_hex_write(hex, found, VALUE_SIZE);
	snprintf(line, KEYLIME_LINE_SIZE,
		 "report: pinned %s: expected %s; found %s (another boot or machine than the one "
		 "that was enrolled, by %.1000s)",
		 name, pinned, hex, path);
	return KEYLIME_PIN_BROKEN;
}

static enum keylime_pin compare(const char *path, json_t *json,
				const uint8_t report[SNP_REPORT_SIZE], char line[KEYLIME_LINE_SIZE])
{
	const char *report_id = NULL, *host_data = NULL;
	json_t *comment = NULL;
	json_error_t error;
	enum keylime_pin pin;

	if (json_unpack_ex(json, &error, 0, "{s?s, s?s, s?o !}", "report_id", &report_id,
			   "host_data", &host_data, "_comment", &comment)) {
		snprintf(line, KEYLIME_LINE_SIZE, "%.1000s: %s", path, error.text);
		return KEYLIME_PIN_FAULT;
	}
	if (!report_id && !host_data) {
		snprintf(line, KEYLIME_LINE_SIZE,
			 "%.1000s pins nothing: give report_id, host_data or "
			 "both",
			 path);
		return KEYLIME_PIN_FAULT;
	}
	pin = compare_value(path, "report_id", report_id, report + SNP_REPORT_REPORT_ID, line);
	return pin != KEYLIME_PIN_KEPT ? pin
				       : compare_value(path, "host_data", host_data,
						       report + SNP_REPORT_HOST_DATA, line);
}

enum keylime_pin keylime_pin_compare(const char *dir, const char *uuid,
				     const uint8_t report[SNP_REPORT_SIZE],
				     char line[KEYLIME_LINE_SIZE])
{
	enum keylime_pin pin;
	json_error_t error;
	char path[4096];
	json_t *json;

	if (!pin_path(dir, uuid, path, line))
		return KEYLIME_PIN_FAULT;
	if (access(dir, R_OK | X_OK)) { /* else a folder that is not there would be "no pin" */
		snprintf(line, KEYLIME_LINE_SIZE, "cannot read the folder of the pins, %.1000s: %s",
			 dir, strerror(errno));
		return KEYLIME_PIN_FAULT;
	}
	if (access(path, F_OK) && errno == ENOENT)
		return KEYLIME_PIN_MISSING;
	json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!json) {
		snprintf(line, KEYLIME_LINE_SIZE, "%.1000s: line %d: %s", path, error.line,
			 error.text);
		return KEYLIME_PIN_FAULT;
	}
	pin = compare(path, json, report, line);
	json_decref(json);
	return pin;
}

bool keylime_pin_record(const char *dir, const char *uuid, const uint8_t report[SNP_REPORT_SIZE],
			char line[KEYLIME_LINE_SIZE])
{
	char path[4096], fresh[4200], hex[2 * VALUE_SIZE + 1], text[160];
	int fd, len;
	bool good;

	if (!pin_path(dir, uuid, path, line))
		return false;
	snprintf(fresh, sizeof fresh, "%s.XXXXXX", path);
	cvtpm_hex_write(hex, report + SNP_REPORT_REPORT_ID, VALUE_SIZE);
	len = snprintf(text, sizeof text, "{\"report_id\": \"%s\"}\n", hex);
	fd = mkostemp(fresh, O_CLOEXEC); /* 0600 */
	good = fd >= 0 && write(fd, text, (size_t)len) == len && fsync(fd) == 0 &&
	       link(fresh, path) == 0;
	if (!good)
		snprintf(line, KEYLIME_LINE_SIZE, "cannot record the pin %.1000s: %s", path,
			 strerror(errno));
	if (fd >= 0) {
		close(fd);
		unlink(fresh);
	}
	return good;
}
