/* Sockets as the work-alike of swtpm is told them: --ctrl and --server. */
#include "cli/swtpm_socket.h"

#include <stdio.h>
#include <string.h>
#include <sys/types.h>

static uint32_t parse_id(struct argp_state *state, const char *option, const char *text)
{
	return (uint32_t)words_number(state, option, text, UINT32_MAX - 1);
}

void endpoint_address(struct endpoint *e, const char *prefix, const char *address,
		      const char *interface, const char *port)
{
	const char *host = address ? address : "127.0.0.1";
	const bool bracket = strchr(host, ':') != NULL;

	snprintf(e->address, sizeof e->address, "%s%s%s%s%s%s:%s", prefix, bracket ? "[" : "", host,
		 interface ? "%" : "", interface ? interface : "", bracket ? "]" : "", port);
}

void endpoint_parse(struct argp_state *state, const char *option, const char *text, bool ctrl,
		    struct endpoint *e, bool *terminate)
{
	const char *type = NULL, *path = NULL, *port = NULL, *address = NULL, *interface = NULL;
	const char *fd = NULL, *clientfd = NULL, *mode = NULL, *uid = NULL, *gid = NULL;
	const struct word words[] = {{"type", &type, NULL},
				     {"path", &path, NULL},
				     {"port", &port, NULL},
				     {"bindaddr", &address, NULL},
				     {"ifname", &interface, NULL},
				     {"fd", &fd, NULL},
				     {"mode", &mode, NULL},
				     {"uid", &uid, NULL},
				     {"gid", &gid, NULL},
				     {ctrl ? "clientfd" : "disconnect", ctrl ? &clientfd : NULL,
				      ctrl ? NULL : &e->disconnect},
				     {ctrl ? "terminate" : NULL, NULL, terminate},
				     {0}};

	if (e->given)
		argp_error(state, "%s is there twice", option);
	*e = (struct endpoint){.given = true, .fd = -1, .clientfd = -1};
	words_parse(state, option, text, e->copy, words);
	if (ctrl && !type)
		argp_error(state, "%s: type=unixio or type=tcp is missing", option);
	e->is_unix = type && strcmp(type, "unixio") == 0;
	if (type && !e->is_unix && strcmp(type, "tcp") != 0)
		argp_error(state, "%s: type=%s: write unixio or tcp", option, type);
	if (e->is_unix ? port || address || interface : path || mode || uid || gid)
		argp_error(state, "%s: %s", option,
			   e->is_unix ? "port=, bindaddr= and ifname= are for type=tcp"
				      : "path=, mode=, uid= and gid= are for type=unixio");
	if (interface && !address)
		argp_error(state, "%s: ifname= needs bindaddr=", option);
	if ((path || port) + (fd != NULL) + (clientfd != NULL) != 1)
		argp_error(state, "%s: write one of %s=, fd=%s", option,
			   e->is_unix ? "path" : "port", ctrl ? " and clientfd=" : "");
	if (!path && (mode || uid || gid))
		argp_error(state, "%s: mode=, uid= and gid= need path=", option);
	if (fd)
		e->fd = words_descriptor(state, option, fd);
	if (clientfd)
		e->clientfd = words_descriptor(state, option, clientfd);
	e->path = path;
	e->shared = mode || uid || gid;
	e->file = (struct cvtpm_serve_file){.mode = mode ? words_mode(state, option, mode) : 0600,
					    .uid = uid ? parse_id(state, option, uid) : (uid_t)-1,
					    .gid = gid ? parse_id(state, option, gid) : (gid_t)-1};
	if (port)
		(void)words_number(state, option, port, 65535);
	if (port)
		endpoint_address(e, ctrl ? "tcp:" : "", address, interface, port);
	else if (path)
		snprintf(e->address, sizeof e->address, "%s%s", ctrl ? "unix:" : "", path);
}
