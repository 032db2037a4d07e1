/* bin/tfdrift: the command, in the Python that the artifact brings. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
/* Python.h comes first: it sets feature macros. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "generated.h"
#include "layout.h"

/* The directory above bin/, whatever link this program was started by. */
static bool own_place(char *program, char *place) {
    ssize_t length = readlink("/proc/self/exe", program, PATH_MAX - 1);
    if (length <= 0)
        return false;
    program[length] = 0;
    memcpy(place, program, (size_t)length + 1);
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(place, '/');
        if (slash == NULL)
            return false;
        *slash = 0;
    }
    return true;
}

static PyStatus start(const tfd_layout *found, const char *program, int argc, char **argv) {
    PyPreConfig before;
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
    PyStatus status = Py_PreInitialize(&before);
    if (PyStatus_Exception(status))
        return status;
    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.install_signal_handlers = 1;
    status = tfd_configure(&config, found);
    /* A command that runs another one starts this program. */
    if (!PyStatus_Exception(status))
        status = PyConfig_SetBytesString(&config, &config.executable, program);
    if (!PyStatus_Exception(status))
        status = PyConfig_SetBytesString(&config, &config.run_module, "tfdrift_core");
    if (!PyStatus_Exception(status))
        status = PyConfig_SetBytesArgv(&config, argc, argv);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    return status;
}

int main(int argc, char **argv) {
    static tfd_layout found;
    char program[PATH_MAX], place[PATH_MAX], error[2 * PATH_MAX];
    if (!own_place(program, place)) {
        fprintf(stderr, "tfdrift: error: cannot tell where this program is: %s; is /proc mounted?\n", strerror(errno));
        return 1;
    }
    if (!tfd_read_layout(&found, place, error, sizeof error)) {
        fprintf(stderr, "tfdrift: error: %s\n", error);
        return 1;
    }
    PyStatus status = start(&found, program, argc, argv);
    if (PyStatus_Exception(status)) {
        const char *reason = status.err_msg != NULL ? status.err_msg : "it asked to exit";
        fprintf(stderr, "tfdrift: error: cannot start Python from %s: %s\n", found.file, reason);
        return 1;
    }
    return Py_RunMain();
}
