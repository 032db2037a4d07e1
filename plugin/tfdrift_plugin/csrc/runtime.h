/* The Python interpreter of this process. */
#ifndef TFD_RUNTIME_H
#define TFD_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

/* Makes sure that an interpreter runs and that the bridge is loaded into it.  Any thread may call this, any number of
 * times, without the GIL.  False, with a message in `error`, if there is none. */
bool tfd_runtime_start(char *error, size_t size);

#endif
