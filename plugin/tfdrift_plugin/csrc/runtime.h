/* The Python interpreter of this process. */
#ifndef TFD_RUNTIME_H
#define TFD_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

/* Loads our modules into the interpreter, whose lock the caller has; false, with a message in `error`, if it cannot. */
typedef bool tfd_load(char *error, size_t size);

/* Makes sure that an interpreter runs and that `load` has been called in it.  Any thread may call this, any number of
 * times, without the GIL.  False, with a message in `error`, if that failed. */
bool tfd_runtime_start(tfd_load *load, char *error, size_t size);

#endif
