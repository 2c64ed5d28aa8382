#include "acpi/ppi.h"

#include "cvtpm/acpi.h"

#define FUNC_COUNT 0x100
#define FUNC_MASK  7

/* Arguments and locals of the _DSM, in which all of this runs. */
enum { ARG_UUID, ARG_REVISION, ARG_FUNCTION, ARG_ARGUMENTS };
enum { LOCAL_OPERATION, LOCAL_PERMISSION };

/* ---- declarations ---- */

/* The fields from PPIN on lie one behind the other, not aligned. */
static void declare_request(struct aml *a, uint64_t area)
{
	static const char *const words[] = {"PPIP", "PPRP", "PPRQ", "PPRM", "LPPR"};

	aml_region(a, "TPP2", AML_SYSTEM_MEMORY);
	aml_integer(a, area + FUNC_COUNT), aml_integer(a, 0x5A);
	aml_field(a, "TPP2", AML_ANY_ACC);
	aml_unit(a, "PPIN", 8);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		aml_unit(a, words[i], 32);
	aml_end(a);
}

/* TPFN(operation): its byte in FUNC. A region of its own for each call, because
 * DerefOf does not work on SystemMemory everywhere. */
static void declare_tpfn(struct aml *a, uint64_t area)
{
	aml_method(a, "TPFN", 1, AML_SERIALIZED);
	aml_if(a), aml_not_less(a), aml_arg(a, 0), aml_integer(a, FUNC_COUNT);
	aml_return(a), aml_integer(a, CVTPM_PPI_NOT_IMPLEMENTED);
	aml_end(a);
	aml_region(a, "TPP1", AML_SYSTEM_MEMORY);
	aml_add(a), aml_integer(a, area), aml_arg(a, 0), aml_no_target(a);
	aml_integer(a, 1);
	aml_field(a, "TPP1", AML_BYTE_ACC);
	aml_unit(a, "TPPF", 8);
	aml_end(a);
	aml_return(a), aml_ref(a, "TPPF");
	aml_end(a);
}

/* Packages that are returned are named: Windows needs that. */
static void declare_result(struct aml *a, const char *name, uint8_t count)
{
	aml_name(a, name);
	aml_package(a, count);
	for (uint8_t i = 0; i < count; i++)
		aml_integer(a, 0);
	aml_end(a);
}

void ppi_declare(struct aml *a, uint64_t area)
{
	declare_request(a, area);
	declare_tpfn(a, area);
	declare_result(a, "TPM2", 2);
	declare_result(a, "TPM3", 3);
}

/* ---- the _DSM ---- */

static void if_function(struct aml *a, unsigned function)
{
	aml_if(a), aml_equal(a), aml_arg(a, ARG_FUNCTION), aml_integer(a, function);
}

static void if_revision(struct aml *a, unsigned revision)
{
	aml_if(a), aml_equal(a), aml_arg(a, ARG_REVISION), aml_integer(a, revision);
}

static void return_integer(struct aml *a, uint64_t value)
{
	aml_return(a), aml_integer(a, value);
}

/* Store(DerefOf(arguments[index]), ...); the target follows. */
static void store_argument(struct aml *a, unsigned index)
{
	aml_store(a), aml_deref_of(a), aml_index(a), aml_arg(a, ARG_ARGUMENTS),
		aml_integer(a, index), aml_no_target(a);
}

/* Store(source, package[index]) */
static void store_result(struct aml *a, const char *source, const char *package, unsigned index)
{
	aml_store(a), aml_ref(a, source);
	aml_index(a), aml_ref(a, package), aml_integer(a, index), aml_no_target(a);
}

static void load_operation(struct aml *a)
{
	store_argument(a, 0), aml_local(a, LOCAL_OPERATION);
	aml_store(a), aml_ref(a, "TPFN"), aml_local(a, LOCAL_OPERATION);
	aml_local(a, LOCAL_PERMISSION);
}

static void return_if_permission(struct aml *a, enum cvtpm_ppi_permission permission, uint64_t what)
{
	aml_if(a), aml_equal(a), aml_and(a), aml_local(a, LOCAL_PERMISSION),
		aml_integer(a, FUNC_MASK), aml_no_target(a), aml_integer(a, permission);
	return_integer(a, what);
	aml_end(a);
}

static void store_request_without_parameter(struct aml *a)
{
	aml_store(a), aml_local(a, LOCAL_OPERATION), aml_ref(a, "PPRQ");
	aml_store(a), aml_integer(a, 0), aml_ref(a, "PPRM");
}

/* 2: Submit TPM Operation Request. 1: not supported; 2: general failure, which is
 * all that this function can say of an operation that is blocked. */
static void submit_request(struct aml *a)
{
	load_operation(a);
	return_if_permission(a, CVTPM_PPI_NOT_IMPLEMENTED, 1);
	return_if_permission(a, CVTPM_PPI_BLOCKED, 2);
	store_request_without_parameter(a);
	return_integer(a, 0);
}

/* 3: Get Pending TPM Operation. Revision 2 has the parameter, too. */
static void pending_request(struct aml *a)
{
	if_revision(a, 1);
	store_result(a, "PPRQ", "TPM2", 1);
	aml_return(a), aml_ref(a, "TPM2");
	aml_end(a);
	if_revision(a, 2);
	store_result(a, "PPRQ", "TPM3", 1);
	store_result(a, "PPRM", "TPM3", 2);
	aml_return(a), aml_ref(a, "TPM3");
	aml_end(a);
}

/* 5: Return TPM Operation Response. */
static void last_response(struct aml *a)
{
	store_result(a, "LPPR", "TPM3", 1);
	store_result(a, "PPRP", "TPM3", 2);
	aml_return(a), aml_ref(a, "TPM3");
}

/* 7: Submit TPM Operation Request 2. 1: not implemented, 3: blocked. */
static void submit_request_2(struct aml *a)
{
	load_operation(a);
	return_if_permission(a, CVTPM_PPI_NOT_IMPLEMENTED, 1);
	return_if_permission(a, CVTPM_PPI_BLOCKED, 3);
	if_revision(a, 1);
	store_request_without_parameter(a);
	aml_end(a);
	if_revision(a, 2);
	aml_store(a), aml_local(a, LOCAL_OPERATION), aml_ref(a, "PPRQ");
	store_argument(a, 1), aml_ref(a, "PPRM");
	aml_end(a);
	return_integer(a, 0);
}

/* 8: Get User Confirmation Status for Operation. */
static void confirmation(struct aml *a)
{
	load_operation(a);
	aml_return(a), aml_and(a), aml_local(a, LOCAL_PERMISSION), aml_integer(a, FUNC_MASK),
		aml_no_target(a);
}

void ppi_dsm(struct aml *a)
{
	static const uint8_t functions[] = {0xFF, 0x01}; /* 0 to 8 */
	static const uint8_t nothing[] = {0};

	aml_if(a), aml_equal(a), aml_arg(a, ARG_UUID);
	aml_uuid(a, "3dddfaa6-361b-4eb4-a424-8d10089d1653");

	if_function(a, 0);
	aml_return(a), aml_bytes_buffer(a, functions, sizeof functions);
	aml_end(a);
	if_function(a, 1); /* Get Physical Presence Interface Version */
	aml_return(a), aml_string(a, "1.3");
	aml_end(a);
	if_function(a, 2);
	submit_request(a);
	aml_end(a);
	if_function(a, 3);
	pending_request(a);
	aml_end(a);
	if_function(a, 4); /* Get Platform-Specific Action: reboot */
	return_integer(a, 2);
	aml_end(a);
	if_function(a, 5);
	last_response(a);
	aml_end(a);
	if_function(a, 6); /* Submit preferred user language: not implemented */
	return_integer(a, 3);
	aml_end(a);
	if_function(a, 7);
	submit_request_2(a);
	aml_end(a);
	if_function(a, 8);
	confirmation(a);
	aml_end(a);
	aml_return(a), aml_bytes_buffer(a, nothing, sizeof nothing);

	aml_end(a);
}
