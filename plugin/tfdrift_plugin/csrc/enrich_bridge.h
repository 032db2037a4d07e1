/* What C and the Python bridge of a library that adds fields to another plugin's events offer each other; see bridge.h. */
#ifndef TFD_ENRICH_BRIDGE_H
#define TFD_ENRICH_BRIDGE_H

#include <stddef.h>
#include <stdint.h>

#include "falco_abi.h"

/* In Python: load state and answer, in a thread of its own. */
extern int tfdrift_py_begin(falco_plugin *plugin);

/* In C.  State is there: from now on answers are waited for. */
void tfdrift_ready(falco_plugin *plugin);
/* Waits a moment for the next record that may have changed something; its size, and its number in `ticket`.  The record
 * stays in place until the next call.  0 while there is none. */
size_t tfdrift_take(falco_plugin *plugin, uint64_t *ticket, const char **record);
/* The payload for the record of that number; it is copied.  One of size 0 says that there is nothing to say. */
void tfdrift_answer(falco_plugin *plugin, uint64_t ticket, const char *payload, size_t size);

#endif
