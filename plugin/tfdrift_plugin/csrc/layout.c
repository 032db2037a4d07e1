#define PY_SSIZE_T_CLEAN
#include <Python.h>
/* Python.h comes first: it sets feature macros. */
#include "layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "generated.h"

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
static bool may_read(const tfd_layout *found, char *error, size_t size) {
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

bool tfd_read_layout(tfd_layout *found, const char *place, char *error, size_t size) {
    char directory[PATH_MAX], line[PATH_MAX];
    memset(found, 0, sizeof *found);
    if (!join(directory, place, "tfdrift-" TFD_VERSION) || !join(found->file, directory, "runtime.conf")) {
        snprintf(error, size, "the path %s is too long; install libtfdrift.so in a directory nearer to the root", place);
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
            good = found->path_count < TFD_MAX_PATHS && join(found->paths[found->path_count++], directory, line + 5);
    }
    fclose(file);
    if (!good || found->home[0] == 0 || found->path_count == 0) {
        snprintf(error, size, "%s is damaged; unpack the artifact again", found->file);
        return false;
    }
    return may_read(found, error, size);
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

PyStatus tfd_configure(PyConfig *config, const tfd_layout *found) {
    char program[PATH_MAX + 16];
    snprintf(program, sizeof program, "%s/bin/python3", found->home);
    config->site_import = 0;
    config->write_bytecode = 0;
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
