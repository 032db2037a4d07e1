/* Where the Python is that library and launcher share, and how it is started.  Include Python.h first. */
#ifndef TFD_LAYOUT_H
#define TFD_LAYOUT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { TFD_MAX_PATHS = 16 };

/* What runtime.conf in the directory tfdrift-<version> says.  Each line is home=DIR or path=DIR; a DIR that does not
 * start with a slash is relative to runtime.conf. */
typedef struct {
    char file[PATH_MAX];
    char home[PATH_MAX];
    char paths[TFD_MAX_PATHS][PATH_MAX];
    size_t path_count;
} tfd_layout;

/* Reads it from the directory tfdrift-<version> in `place`; false, with a message in `error`, if it cannot. */
bool tfd_read_layout(tfd_layout *found, const char *place, char *error, size_t size);

/* For an isolated configuration: nothing outside of the layout decides what Python loads, as Falco may run as root. */
PyStatus tfd_configure(PyConfig *config, const tfd_layout *found);

#endif
