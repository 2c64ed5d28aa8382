/*
 * libcurl, loaded when a key distribution service is named. It and the thirty libraries
 * that it needs would otherwise take two thirds of the start of every program, a server's
 * included, that never asks anybody.
 */
#ifndef CVTPM_VERIFY_KDS_LIBCURL_H
#define CVTPM_VERIFY_KDS_LIBCURL_H

#include "cvtpm/kds.h"

#include <curl/curl.h>

/* Without macros of the same names, which curl.h has for some. */
#define KDS_LIBCURL_FUNCTIONS(F)                                                                   \
	F(easy_cleanup)                                                                            \
	F(easy_getinfo)                                                                            \
	F(easy_init)                                                                               \
	F(easy_perform)                                                                            \
	F(easy_reset)                                                                              \
	F(easy_setopt)                                                                             \
	F(easy_strerror)                                                                           \
	F(free)                                                                                    \
	F(global_cleanup)                                                                          \
	F(global_init)                                                                             \
	F(url)                                                                                     \
	F(url_cleanup)                                                                             \
	F(url_get)                                                                                 \
	F(url_set)                                                                                 \
	F(version_info)

struct kds_libcurl {
#define MEMBER(name) __typeof__(curl_##name) *name;
	KDS_LIBCURL_FUNCTIONS(MEMBER)
#undef MEMBER
};

/** CVTPM_ERR_UNSUPPORTED: there is none, or it is too old; `error` says what to install. It stays
 *  loaded: the libraries below it are not made for being taken out again. */
int kds_libcurl_load(struct kds_libcurl *lib, char error[CVTPM_KDS_ERROR_SIZE]);

#endif
