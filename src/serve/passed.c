#include "serve/passed.h"

#include "cvtpm/err.h"
#include "serve/server.h"

#include <fcntl.h>
#include <sys/stat.h>

static int take_listener(struct server *server, const struct client_protocol *protocol, int fd)
{
	struct listener *l = &server->listener[server->listeners];

	if (fd < 0)
		return 0;
	CVTPM_TRY(listener_open_passed(l, server, fd));
	l->protocol = protocol;
	server->listeners++;
	return 0;
}

/* What listens is served like the server's own; clients come when the TPM is open. */
int passed_take(struct server *server)
{
	const struct cvtpm_serve_passed *passed = server->config->passed;
	const int clients[] = {passed->data, passed->ctrl_client};
	struct stat st;

	for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
		if (clients[i] < 0)
			continue;
		if (fstat(clients[i], &st) == 0 && (S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode)) &&
		    fcntl(clients[i], F_SETFL, O_NONBLOCK) == 0)
			continue;
		server_log(server, CVTPM_LOG_ERROR,
			   "descriptor %d is neither a socket nor a character device", clients[i]);
		return CVTPM_ERR_PARAM;
	}
	CVTPM_TRY(take_listener(server, &raw_protocol, passed->data_listener));
	return take_listener(server, &control_protocol, passed->ctrl_listener);
}

static int begin(struct server *server, const struct client_protocol *protocol, int fd)
{
	struct stat st;

	if (fd < 0)
		return 0;
	if (!server_accept(server, protocol, fd))
		return CVTPM_ERR_NO_MEMORY;
	server->clients->is_device = fstat(fd, &st) == 0 && S_ISCHR(st.st_mode);
	server->clients->ends_server = protocol == &data_protocol;
	return 0;
}

int passed_start(struct server *server)
{
	CVTPM_TRY(begin(server, &control_protocol, server->config->passed->ctrl_client));
	return begin(server, &data_protocol, server->config->passed->data);
}
