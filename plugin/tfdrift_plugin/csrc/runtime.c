#define PY_SSIZE_T_CLEAN
#include <Python.h>
/* Python.h comes first: it sets feature macros. */
#include "runtime.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "generated.h"

enum { MAX_PATHS = 16 };

/* Where Python's files are: runtime.conf in the directory tfdrift-<version> beside this library.  Each line is
 * home=DIR or path=DIR; a DIR that does not start with a slash is relative to runtime.conf. */
typedef struct {
    char file[PATH_MAX];
    char home[PATH_MAX];
    char paths[MAX_PATHS][PATH_MAX];
    size_t path_count;
} layout;

static const char *own_library(char *path) {
    Dl_info info;
    if (dladdr((void *)own_library, &info) == 0 || info.dli_fname == NULL)
        return NULL;
    return realpath(info.dli_fname, path);
}

static bool join(char *out, const char *directory, const char *name) {
    int size = name[0] == '/' ? snprintf(out, PATH_MAX, "%s", name) : snprintf(out, PATH_MAX, "%s/%s", directory, name);
    return size > 0 && size < PATH_MAX;
}

/* Cuts a path behind its first part that this process may not enter, or whose end it may not read.  False if there is
 * none: whatever else is wrong with a path, Python tells. */
static bool cut_at_closed(char *path) {
    char *slash = path;
    do {
        slash = strchr(slash + 1, '/');
        if (slash != NULL)
            *slash = 0;
        bool closed = faccessat(AT_FDCWD, path, slash != NULL ? X_OK : R_OK, AT_EACCESS) != 0 && errno == EACCES;
        if (closed)
            return true;
        if (slash != NULL)
            *slash = '/';
    } while (slash != NULL);
    return false;
}

static bool is_open(const char *path, char *error, size_t size) {
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part || !cut_at_closed(part))
        return true;
    snprintf(error, size, "user %u may not read %s, and needs it for the plugin's Python; open it to that user (chmod a+rX)",
             (unsigned)geteuid(), part);
    return false;
}

/* Whether Python can find its modules: otherwise it prints all that it knows of itself, and not which directory it is. */
static bool may_read(const layout *found, char *error, size_t size) {
    static const char *const names[] = {"", "/encodings/__init__.py", "/tfdrift_plugin/bridge.py"};
    char path[2 * PATH_MAX];
    for (size_t i = 0; i < found->path_count; i++) {
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            snprintf(path, sizeof path, "%s%s", found->paths[i], names[n]);
            if (!is_open(path, error, size))
                return false;
        }
    }
    return true;
}

static bool read_layout(layout *found, char *error, size_t size) {
    char library[PATH_MAX], directory[PATH_MAX], line[PATH_MAX];
    if (own_library(library) == NULL) {
        snprintf(error, size, "cannot tell where libtfdrift.so was loaded from: %s", strerror(errno));
        return false;
    }
    *strrchr(library, '/') = 0;
    if (!join(directory, library, "tfdrift-" TFD_VERSION) || !join(found->file, directory, "runtime.conf")) {
        snprintf(error, size, "the path %s is too long; install libtfdrift.so in a directory nearer to the root", library);
        return false;
    }
    FILE *file = fopen(found->file, "re");
    if (file == NULL) {
        int reason = errno;
        if (is_open(found->file, error, size))
            snprintf(error, size,
                     "cannot read %s: %s; unpack the whole artifact, libtfdrift.so together with the directory beside it",
                     found->file, strerror(reason));
        return false;
    }
    bool good = true;
    while (good && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = 0;
        if (strncmp(line, "home=", 5) == 0)
            good = join(found->home, directory, line + 5);
        else if (strncmp(line, "path=", 5) == 0)
            good = found->path_count < MAX_PATHS && join(found->paths[found->path_count++], directory, line + 5);
    }
    fclose(file);
    if (!good || found->home[0] == 0 || found->path_count == 0) {
        snprintf(error, size, "%s is damaged; unpack the artifact again", found->file);
        return false;
    }
    return may_read(found, error, size);
}

/* Falco loads plugins with RTLD_LOCAL, but Python's extension modules expect libpython's symbols to be global. */
static void promote_libpython(void) {
    Dl_info info;
    if (dladdr((void *)Py_InitializeFromConfig, &info) != 0 && info.dli_fname != NULL)
        dlopen(info.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
}

static PyStatus set_text(PyConfig *config, wchar_t **item, const char *text) {
    return PyConfig_SetBytesString(config, item, text);
}

static PyStatus add_path(PyConfig *config, const char *path) {
    wchar_t *wide = Py_DecodeLocale(path, NULL);
    if (wide == NULL)
        return PyStatus_NoMemory();
    PyStatus status = PyWideStringList_Append(&config->module_search_paths, wide);
    PyMem_RawFree(wide);
    return status;
}

/* Falco runs as root: nothing outside of the layout may decide what Python loads. */
static PyStatus configure(PyConfig *config, const layout *found) {
    char program[PATH_MAX + 16];
    snprintf(program, sizeof program, "%s/bin/python3", found->home);
    config->site_import = 0;
    config->write_bytecode = 0;
    config->install_signal_handlers = 0;
    config->pathconfig_warnings = 0;
    config->module_search_paths_set = 1;
    wchar_t **prefixes[] = {&config->home, &config->prefix, &config->exec_prefix, &config->base_prefix,
                            &config->base_exec_prefix};
    PyStatus status = set_text(config, &config->program_name, program);
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes && !PyStatus_Exception(status); i++)
        status = set_text(config, prefixes[i], found->home);
    if (!PyStatus_Exception(status))
        status = set_text(config, &config->executable, program);
    for (size_t i = 0; i < found->path_count && !PyStatus_Exception(status); i++)
        status = add_path(config, found->paths[i]);
    return status;
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

static bool start_interpreter(const layout *found, char *error, size_t size) {
    promote_libpython();
    PyPreConfig before;
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
    PyStatus status = Py_PreInitialize(&before);
    if (!PyStatus_Exception(status)) {
        PyConfig config;
        PyConfig_InitIsolatedConfig(&config);
        status = configure(&config, found);
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
static bool join_interpreter(const layout *found, char *error, size_t size) {
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
    static layout found;
    memset(&found, 0, sizeof found);
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
