#include "cli.h"

int main(void)
{
	return CLI_FAULT;
}
