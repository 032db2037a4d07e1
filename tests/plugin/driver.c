/* Plays Falco's part of the plugin contract in a process without Python, and reports what it saw as JSON lines.
 *
 *   driver LIBRARY CONFIG PARAMS CYCLES
 *
 * Each cycle is init, open, read to the end, close, destroy, as in a hot restart: a second init and destroy run on another
 * thread while the first instance is open, and every tenth cycle closes and reopens the library. */
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "falco_abi.h"

static struct {
    void *library;
    const char *(*get_name)(void);
    const char *(*get_version)(void);
    const char *(*get_required_api_version)(void);
    const char *(*get_description)(void);
    const char *(*get_contact)(void);
    const char *(*get_event_source)(void);
    const char *(*get_fields)(void);
    const char *(*get_extract_event_sources)(void);
    uint32_t (*get_id)(void);
    const char *(*get_init_schema)(int32_t *);
    falco_plugin *(*init)(const falco_init_input *, falco_rc *);
    void (*destroy)(falco_plugin *);
    const char *(*get_last_error)(falco_plugin *);
    falco_instance *(*open)(falco_plugin *, const char *, falco_rc *);
    void (*close)(falco_plugin *, falco_instance *);
    falco_rc (*next_batch)(falco_plugin *, falco_instance *, uint32_t *, falco_event ***);
    const char *(*event_to_string)(falco_plugin *, const falco_event_input *);
    falco_rc (*extract_fields)(falco_plugin *, const falco_event_input *, falco_extract_input *);
    const char *(*list_open_params)(falco_plugin *, falco_rc *);
    falco_metric *(*get_metrics)(falco_plugin *, uint32_t *);
} api;

typedef struct {
    uint32_t magic;
    int messages;
} owner;

enum { OWNER_MAGIC = 0x0FA1C0, OWNER_DEAD = 0xDEAD };
static const char *config;
static int failures;

static void check(int good, const char *what) {
    if (!good) {
        failures++;
        fprintf(stderr, "FAILED: %s\n", what);
    }
}

static void on_log(void *who, const char *component, const char *message, int32_t severity) {
    owner *known = who;
    check(known->magic == OWNER_MAGIC, "a message came after destroy");
    check(component == NULL && message != NULL && severity >= 1 && severity <= 8, "a message is malformed");
    known->messages++;
    fprintf(stderr, "log %d: %s\n", severity, message);
}

static void *symbol(const char *name) {
    char full[64];
    snprintf(full, sizeof full, "plugin_%s", name);
    void *found = dlsym(api.library, full);
    if (found == NULL) {
        fprintf(stderr, "FAILED: no %s\n", full);
        exit(1);
    }
    return found;
}

#define LOAD(name) *(void **)&api.name = symbol(#name)

static int python_runs(void) {
    int (*runs)(void);
    *(void **)&runs = dlsym(api.library, "Py_IsInitialized");
    return runs != NULL && runs();
}

static void load(const char *path) {
    api.library = dlopen(path, RTLD_LOCAL | RTLD_NOW);
    if (api.library == NULL) {
        fprintf(stderr, "FAILED: %s\n", dlerror());
        exit(1);
    }
    LOAD(get_name), LOAD(get_version), LOAD(get_required_api_version), LOAD(get_description), LOAD(get_contact);
    LOAD(get_event_source), LOAD(get_fields), LOAD(get_extract_event_sources), LOAD(get_id), LOAD(get_init_schema);
    LOAD(init), LOAD(destroy), LOAD(get_last_error), LOAD(open), LOAD(close), LOAD(next_batch), LOAD(event_to_string);
    LOAD(extract_fields), LOAD(list_open_params), LOAD(get_metrics);
    for (int twice = 0; twice < 2; twice++) {
        int32_t type = 0;
        check(strcmp(api.get_name(), "tfdrift") == 0 && strcmp(api.get_event_source(), "tfdrift") == 0, "the names");
        check(api.get_version()[0] && api.get_description()[0] && api.get_contact()[0], "the texts");
        check(strncmp(api.get_required_api_version(), "3.", 2) == 0 && api.get_id() != 0, "the version and id");
        check(api.get_fields()[0] == '[' && strcmp(api.get_extract_event_sources(), "[\"tfdrift\"]") == 0, "the lists");
        check(api.get_init_schema(&type)[0] == '{' && type == FALCO_SCHEMA_JSON, "the schema");
    }
}

static falco_plugin *start(owner *who, falco_rc *rc) {
    *who = (owner){OWNER_MAGIC, 0};
    falco_init_input input = {config, who, NULL, NULL, on_log};
    falco_plugin *plugin = api.init(&input, rc);
    if (*rc != FALCO_SUCCESS) {
        printf("{\"init_error\": true}\n%s\n", api.get_last_error(plugin));
        api.destroy(plugin);
        exit(3);
    }
    return plugin;
}

static void end(falco_plugin *plugin, owner *who) {
    api.destroy(plugin);
    who->magic = OWNER_DEAD;
}

static void *dry_run(void *unused) {
    (void)unused;
    owner who;
    falco_rc rc;
    falco_plugin *plugin = start(&who, &rc);
    check(api.list_open_params(plugin, &rc)[0] == '[' && rc == FALCO_SUCCESS, "the open params");
    end(plugin, &who);
    return NULL;
}

/* What each of the threads of Falco's web server does while events are read. */
static void *scrape(void *plugin) {
    for (int i = 0; i < 20; i++) {
        uint32_t count = 0;
        falco_metric *metrics = api.get_metrics(plugin, &count);
        check(count >= 1, "the metrics");
        for (uint32_t j = 0; j < count; j++)
            check(metrics[j].name[0] != 0 && metrics[j].value_type == FALCO_VALUE_U64, "a metric");
        usleep(100);
    }
    return NULL;
}

static int count_threads(void) {
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; tasks != NULL && (entry = readdir(tasks)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/* A thread leaves the process a little after it was joined. */
static int threads_settle(int expected) {
    for (int i = 0; i < 500 && count_threads() != expected; i++)
        usleep(10000);
    return count_threads() == expected;
}

static long resident_kilobytes(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    check(file != NULL && fscanf(file, "%*d %ld", &pages) == 1, "/proc/self/statm");
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static size_t count_fields(void) {
    size_t count = 0;
    for (const char *at = api.get_fields(); (at = strstr(at, "\"name\"")) != NULL; at++)
        count++;
    return count;
}

/* Extracts every field, once plainly and once with a path, with Falco's uninitialised results. */
static unsigned long extract_all(falco_plugin *plugin, const falco_event *event, uint64_t number, size_t fields) {
    falco_event_input input = {event, number, "tfdrift"};
    unsigned long present = 0;
    for (uint32_t id = 0; id < fields; id++) {
        for (uint32_t argument = 0; argument < 2; argument++) {
            falco_field field;
            memset(&field, 0xA5, sizeof field);
            field.id = id;
            field.argument = argument ? "instanceType.value" : NULL;
            field.has_argument = argument;
            falco_extract_input wanted = {NULL, NULL, 1, &field};
            check(api.extract_fields(plugin, &input, &wanted) == FALCO_SUCCESS, "extract_fields");
            check(field.result_count < 1000, "the count of results");
            present += field.result_count != 0;
        }
    }
    check(api.event_to_string(plugin, &input)[0] == '{', "event_to_string");
    return present;
}

static char metrics_json[16384];

static void note_metrics(falco_plugin *plugin) {
    uint32_t count = 0;
    falco_metric *metrics = api.get_metrics(plugin, &count);
    size_t at = 0;
    for (uint32_t i = 0; i < count && at < sizeof metrics_json - 256; i++) {
        check(metrics[i].value_type == FALCO_VALUE_U64, "a metric's type");
        const char *kind = metrics[i].type == FALCO_MONOTONIC ? "counter" : "gauge";
        at += (size_t)snprintf(metrics_json + at, sizeof metrics_json - at, "%s\"%s\": [\"%s\", %llu]", i ? ", " : "",
                               metrics[i].name, kind, (unsigned long long)metrics[i].value.u64);
    }
}

static unsigned long cycle(const char *params, size_t fields, unsigned long *values) {
    owner who;
    falco_rc rc;
    unsigned long events = 0;
    falco_plugin *plugin = start(&who, &rc);
    falco_instance *instance = api.open(plugin, params, &rc);
    if (rc != FALCO_SUCCESS) {
        printf("{\"open_error\": true}\n%s\n", api.get_last_error(plugin));
        end(plugin, &who);
        exit(4);
    }
    pthread_t other, scrapers[2];
    pthread_create(&other, NULL, dry_run, NULL);
    for (int i = 0; i < 2; i++)
        pthread_create(&scrapers[i], NULL, scrape, plugin);
    for (rc = FALCO_TIMEOUT; rc == FALCO_TIMEOUT || rc == FALCO_SUCCESS;) {
        uint32_t count = 77;
        falco_event **batch = NULL;
        rc = api.next_batch(plugin, instance, &count, &batch);
        check(rc != FALCO_FAILURE && (rc != FALCO_SUCCESS || count > 0), "next_batch");
        for (uint32_t i = 0; i < count; i++)
            *values += extract_all(plugin, batch[i], ++events, fields);
    }
    pthread_join(other, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(scrapers[i], NULL);
    api.close(plugin, instance);
    api.close(plugin, NULL);
    note_metrics(plugin);
    end(plugin, &who);
    return events;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: driver LIBRARY CONFIG PARAMS CYCLES\n");
        return 2;
    }
    config = argv[2];
    int cycles = atoi(argv[4]);
    unsigned long events = 0, values = 0;
    long warm = 0;
    int threads = count_threads();
#ifdef __SANITIZE_THREAD__
    threads++; /* its own */
#endif
    signal(SIGINT, SIG_DFL); /* a background job inherits it ignored */
    load(argv[1]);
    check(!python_runs(), "Python runs before init");
    size_t fields = count_fields();
    for (int i = 0; i < cycles; i++) {
        events += cycle(argv[3], fields, &values);
        check(threads_settle(threads), "a thread was left behind");
        if (i % 10 == 9) {
            dlclose(api.library);
            load(argv[1]);
        }
        if (i == cycles / 4)
            warm = resident_kilobytes();
    }
    struct sigaction action;
    check(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_IGN, "SIGPIPE is not ignored");
    check(sigaction(SIGINT, NULL, &action) == 0 && action.sa_handler == SIG_DFL, "SIGINT was taken from Falco");
    printf("{\"cycles\": %d, \"events\": %lu, \"values\": %lu, \"growth_kb\": %ld, \"resident_kb\": %ld, \"failures\": %d, "
           "\"metrics\": {%s}}\n",
           cycles, events, values, resident_kilobytes() - warm, resident_kilobytes(), failures, metrics_json);
    return failures != 0;
}
