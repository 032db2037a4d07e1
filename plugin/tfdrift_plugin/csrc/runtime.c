#define PY_SSIZE_T_CLEAN
#include <Python.h>
/* Python.h comes first: it sets feature macros. */
#include "runtime.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generated.h"
#include "layout.h"

static const char *own_library(char *path) {
    Dl_info info;
    if (dladdr((void *)own_library, &info) == 0 || info.dli_fname == NULL)
        return NULL;
    return realpath(info.dli_fname, path);
}

static bool read_layout(tfd_layout *found, char *error, size_t size) {
    char library[PATH_MAX];
    if (own_library(library) == NULL) {
        snprintf(error, size, "cannot tell where libtfdrift.so was loaded from: %s", strerror(errno));
        return false;
    }
    *strrchr(library, '/') = 0;
    return tfd_read_layout(found, library, error, size);
}

/* Falco loads plugins with RTLD_LOCAL, but Python's extension modules expect libpython's symbols to be global. */
static void promote_libpython(void) {
    Dl_info info;
    if (dladdr((void *)Py_InitializeFromConfig, &info) != 0 && info.dli_fname != NULL)
        dlopen(info.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
}

/* Whoever imports "signal" first takes SIGINT over, whatever the configuration says: an interrupt while Falco starts
 * would come up as an exception in the middle of our imports.  It is done here once, and undone. */
static void leave_sigint(void) {
    struct sigaction before;
    bool known = sigaction(SIGINT, NULL, &before) == 0;
    PyObject *module = PyImport_ImportModule("_signal");
    if (known)
        sigaction(SIGINT, &before, NULL);
    if (module == NULL)
        PyErr_Clear(); /* the first import that needs it will tell */
    Py_XDECREF(module);
}

static bool start_interpreter(const tfd_layout *found, char *error, size_t size) {
    promote_libpython();
    PyPreConfig before;
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
    PyStatus status = Py_PreInitialize(&before);
    if (!PyStatus_Exception(status)) {
        PyConfig config;
        PyConfig_InitIsolatedConfig(&config);
        config.install_signal_handlers = 0;
        status = tfd_configure(&config, found);
        if (!PyStatus_Exception(status))
            status = Py_InitializeFromConfig(&config);
        PyConfig_Clear(&config);
    }
    if (!PyStatus_Exception(status)) {
        leave_sigint();
        return true;
    }
    snprintf(error, size, "cannot start Python from %s: %s", found->file,
             status.err_msg != NULL ? status.err_msg : "it asked to exit");
    return false;
}

/* A Python program loaded this library: its interpreter serves, and finds our modules behind its own. */
static bool join_interpreter(const tfd_layout *found, char *error, size_t size) {
    PyObject *path = PySys_GetObject("path");
    for (size_t i = 0; i < found->path_count; i++) {
        PyObject *item = PyUnicode_DecodeFSDefault(found->paths[i]);
        if (path == NULL || item == NULL || (PySequence_Contains(path, item) == 0 && PyList_Append(path, item) != 0)) {
            Py_XDECREF(item);
            PyErr_Clear();
            snprintf(error, size, "cannot extend the module path of the Python that runs in this process");
            return false;
        }
        Py_DECREF(item);
    }
    return true;
}

/* Python leaves SIGPIPE alone here, and so does Falco: a closed TLS connection would end the process. */
static void ignore_sigpipe(void) {
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL) {
        memset(&action, 0, sizeof action);
        action.sa_handler = SIG_IGN;
        sigaction(SIGPIPE, &action, NULL);
    }
}

static bool start(tfd_load *load, char *error, size_t size) {
    static tfd_layout found;
    if (strncmp(Py_GetVersion(), TFD_PYTHON_VERSION ".", sizeof TFD_PYTHON_VERSION) != 0) {
        snprintf(error, size, "this process runs Python %.20s, but libtfdrift.so was built for " TFD_PYTHON_VERSION,
                 Py_GetVersion());
        return false;
    }
    if (!read_layout(&found, error, size))
        return false;
    PyGILState_STATE gil = PyGILState_UNLOCKED;
    bool joined = Py_IsInitialized() != 0;
    if (joined) {
        gil = PyGILState_Ensure();
        if (!join_interpreter(&found, error, size)) {
            PyGILState_Release(gil);
            return false;
        }
    } else if (!start_interpreter(&found, error, size)) {
        return false;
    }
    /* CFFI's start-up uses this type's version tag as a lock (before Python 3.12) and waits for ever if it is taken. */
    PyType_Modified(&PyCapsule_Type);
    bool ready = load(error, size);
    if (joined)
        PyGILState_Release(gil);
    else
        PyEval_SaveThread();
    return ready;
}

bool tfd_runtime_start(tfd_load *load, char *error, size_t size) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool started;
    pthread_mutex_lock(&lock);
    if (!started)
        started = start(load, error, size);
    bool ready = started;
    pthread_mutex_unlock(&lock);
    ignore_sigpipe();
    return ready;
}
