/* What the forms of an outcome share. */
#ifndef VERIFY_OUTPUT_H
#define VERIFY_OUTPUT_H

#define LAB_NOTICE                                                                                 \
	"LAB: the chain ends in a root that is not AMD's; this proves nothing outside a test"

#endif
