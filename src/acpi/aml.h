/*
 * An AML writer (ACPI Specification 6.5, chapter 20). It writes, and only writes.
 *
 * Code that uses it reads like the ASL that it stands for, operators before
 * their operands, as AML has them:
 *
 *     aml_method(&a, "_STA", 0, AML_NOT_SERIALIZED);    Method (_STA, 0, NotSerialized)
 *     aml_return(&a), aml_integer(&a, 0x0F);            {   Return (0x0F)
 *     aml_end(&a);                                      }
 *
 * What has a PkgLength (scope, device, method, If, Else, field, buffer,
 * package) is open until the matching aml_end(), which knows the length and
 * moves the content up to make room for it. Errors are kept, and told once, by
 * aml_finish(). Names are single name segments of four characters, or "\_SB_".
 */
#ifndef CVTPM_AML_H
#define CVTPM_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AML_DEPTH_MAX   8
#define AML_HEADER_SIZE 36 /* of any ACPI table */

struct aml {
	uint8_t *bytes;
	size_t room, len; /* len goes on when there is no room any more */
	size_t open[AML_DEPTH_MAX];
	unsigned depth;
	bool unbalanced;
};

enum aml_serialize { AML_NOT_SERIALIZED = 0, AML_SERIALIZED = 1 };
enum aml_space { AML_SYSTEM_MEMORY = 0, AML_SYSTEM_IO = 1 };
enum aml_access { AML_ANY_ACC = 0, AML_BYTE_ACC = 1 };

/** Writes an ACPI table's header, table length and checksum still 0. `signature`
 *  has 4, `table_id` 8 characters. */
void aml_start(struct aml *a, uint8_t *bytes, size_t room, const char *signature, uint8_t revision,
	       const char *table_id);
/** Enters length and checksum. `*len` is the table's. CVTPM_ERR_SIZE: no room;
 *  CVTPM_ERR_PARAM: an aml_end() is missing or one too many. */
int aml_finish(struct aml *a, size_t *len);

/* Plain data: numbers little-endian. */
void aml_u8(struct aml *a, uint8_t value);
void aml_u16(struct aml *a, uint16_t value);
void aml_u32(struct aml *a, uint32_t value);
void aml_u64(struct aml *a, uint64_t value);

/* What is closed by aml_end(). */
void aml_end(struct aml *a);
void aml_scope(struct aml *a, const char *name);
void aml_device(struct aml *a, const char *name);
void aml_method(struct aml *a, const char *name, unsigned arguments, enum aml_serialize serialize);
void aml_if(struct aml *a);
/** Field(region, access, NoLock, Preserve); its units follow, "name", bits. */
void aml_field(struct aml *a, const char *region, enum aml_access access);
void aml_unit(struct aml *a, const char *name, unsigned bits);
/** Package of `count` elements, which follow. */
void aml_package(struct aml *a, uint8_t count);
/** Buffer of `len` bytes, which follow. */
void aml_buffer(struct aml *a, size_t len);

/* Declarations. */
void aml_name(struct aml *a, const char *name); /* Name(name, ...) */
/** OperationRegion(name, space, offset, length): two terms follow. */
void aml_region(struct aml *a, const char *name, enum aml_space space);

/* Terms. */
void aml_ref(struct aml *a, const char *name); /* a name, or a call of a method */
void aml_arg(struct aml *a, unsigned n);
void aml_local(struct aml *a, unsigned n);
void aml_integer(struct aml *a, uint64_t value); /* in its shortest form */
void aml_string(struct aml *a, const char *text);
void aml_unicode(struct aml *a, const char *text);
void aml_uuid(struct aml *a, const char *uuid); /* ToUUID("6bbf6cab-...") */
void aml_bytes_buffer(struct aml *a, const uint8_t *bytes, size_t len);

/* Operators; as many terms follow as they take. */
void aml_return(struct aml *a);
void aml_store(struct aml *a); /* source, target */
void aml_equal(struct aml *a);
void aml_not_less(struct aml *a);
/** Add(a, b) and And(a, b): two terms, then aml_no_target(). */
void aml_add(struct aml *a);
void aml_and(struct aml *a);
void aml_index(struct aml *a); /* object, index, aml_no_target() */
void aml_deref_of(struct aml *a);
void aml_no_target(struct aml *a);

#endif
