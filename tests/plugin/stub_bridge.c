/* Stands in for Python behind the plugin's C code, so that a thread sanitizer can watch queue, batches and metrics.
 * open_params name a file with one payload; the worker pushes it again and again. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "runtime.h"
#include "source_bridge.h"

enum { EVENTS = 1500, WORKERS = 8 };

static struct {
    falco_plugin *plugin;
    falco_instance *instance;
    pthread_t thread;
    char payload[65536];
    size_t size;
} workers[WORKERS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool tfd_runtime_start(tfd_load *load, char *error, size_t size) {
    signal(SIGPIPE, SIG_IGN);
    return load(error, size);
}

static void *work(void *number) {
    size_t at = (size_t)number;
    for (int i = 0; i < EVENTS; i++) {
        tfdrift_set_metric(workers[at].plugin, "records_read", (uint64_t)i, 1);
        if (tfdrift_push(workers[at].instance, (uint64_t)i + 1, workers[at].payload, workers[at].size) != 1)
            return NULL;
        if (tfdrift_handed_over(workers[at].instance) > EVENTS)
            abort();
    }
    tfdrift_log(workers[at].plugin, 6, "done");
    tfdrift_finish(workers[at].instance);
    return NULL;
}

int tfdrift_py_ready(void) {
    return 1;
}

int tfdrift_py_init(falco_plugin *plugin, const char *config) {
    if (strcmp(config, "{}") != 0)
        tfdrift_set_error(plugin, "not {}");
    return strcmp(config, "{}") == 0;
}

int tfdrift_py_destroy(falco_plugin *plugin) {
    tfdrift_log(plugin, 7, "bye");
    return 1;
}

int tfdrift_py_open(falco_plugin *plugin, falco_instance *instance, const char *params) {
    pthread_mutex_lock(&lock);
    size_t at = 0;
    while (at < WORKERS && workers[at].instance != NULL)
        at++;
    FILE *file = fopen(params, "rb");
    if (at == WORKERS || file == NULL)
        abort();
    workers[at].plugin = plugin;
    workers[at].instance = instance;
    workers[at].size = fread(workers[at].payload, 1, sizeof workers[at].payload, file);
    fclose(file);
    pthread_create(&workers[at].thread, NULL, work, (void *)at);
    pthread_mutex_unlock(&lock);
    return 1;
}

int tfdrift_py_close(falco_plugin *plugin, falco_instance *instance) {
    pthread_mutex_lock(&lock);
    for (size_t at = 0; at < WORKERS; at++) {
        if (workers[at].plugin == plugin && workers[at].instance == instance) {
            pthread_join(workers[at].thread, NULL);
            workers[at].instance = NULL;
        }
    }
    pthread_mutex_unlock(&lock);
    return 1;
}

int tfdrift_py_select(falco_plugin *plugin, const char *field, const char *path, const char *record, size_t size) {
    (void)field, (void)record;
    tfdrift_set_selected(plugin, path);
    return size > 0;
}
