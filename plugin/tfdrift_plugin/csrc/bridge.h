/* What C and the Python bridge offer each other, whatever the library can do.  tfdrift_plugin/build.py gives these
 * declarations to CFFI, too. */
#ifndef TFD_BRIDGE_H
#define TFD_BRIDGE_H

#include <stddef.h>
#include <stdint.h>

#include "falco_abi.h"

/* In Python.  1 is success; 0, which CFFI also returns after an exception, is failure.  Called without the GIL. */
extern int tfdrift_py_ready(void);
extern int tfdrift_py_init(falco_plugin *plugin, const char *config);
extern int tfdrift_py_destroy(falco_plugin *plugin);

/* In C.  Texts are UTF-8 that ends with a NUL, and are copied. */
void tfdrift_set_bridge_error(const char *text);
void tfdrift_set_error(falco_plugin *plugin, const char *text);
void tfdrift_log(falco_plugin *plugin, int severity, const char *text);
void tfdrift_set_metric(falco_plugin *plugin, const char *name, uint64_t value, int monotonic);

#endif
