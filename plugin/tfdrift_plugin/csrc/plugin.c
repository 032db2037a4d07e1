/* Falco's plugin API for TFDrift.  Only init, destroy, open, close and fields with a path enter Python; events come from a
 * Python thread through a bounded queue, so that neither next_batch nor extract_fields ever waits for the GIL. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bridge.h"
#include "falco_abi.h"
#include "generated.h"
#include "payload.h"
#include "runtime.h"

#define EXPORT __attribute__((visibility("default")))

enum {
    QUEUE_EVENTS = 1024,
    BATCH_EVENTS = 128,
    WAIT_NANOSECONDS = 30 * 1000 * 1000, /* Falco looks at its signals only between two batches */
    MAX_METRICS = 256,
    METRIC_NAME = 96,
    ERROR_TEXT = 4096,
    EVENT_HEAD = 26 + 4 + 4 + 4,
};

static const size_t QUEUE_BYTES = 64u << 20;
static const uint64_t SECOND = 1000000000u;

struct tfd_instance {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    pthread_cond_t drained;
    falco_event *queue[QUEUE_EVENTS];
    size_t first;
    size_t count;
    size_t bytes;
    bool closing;
    bool finished;
    falco_event *batch[BATCH_EVENTS]; /* lent to Falco until its next call */
    uint32_t batch_count;
    uint64_t handed_over;
    uint64_t *progress; /* where Python wants that count, too; it outlives the process */
    uint64_t newest; /* time of the newest event given to Falco */
    struct tfd_instance *next;
};

typedef struct {
    char name[METRIC_NAME];
    uint64_t value;
    bool monotonic;
} metric;

/* A value found by path; lives until another event is asked for, because Falco may keep pointers that long. */
typedef struct selected {
    struct selected *next;
    uint32_t field;
    char *path;
    char *value;
    const char *values[1];
} selected;

struct tfd_plugin {
    void *owner;
    void (*log)(void *owner, const char *component, const char *message, int32_t severity);
    bool initialised;
    bool abandoned; /* a Python thread did not end in time and may still hold this */
    pthread_mutex_t lock;
    struct tfd_instance *instances;
    uint64_t newest; /* of closed instances */
    metric metrics[MAX_METRICS];
    size_t metric_count;
    char error[ERROR_TEXT];
    tfd_slot slots[TFD_FIELD_COUNT];
    tfd_text text;
    selected *selected;
    const falco_event *selected_event;
    uint64_t selected_number;
    uint64_t selected_time;
    char *selecting; /* what Python found for the path that is being asked for */
};

static const tfd_field FIELDS[TFD_FIELD_COUNT] = TFD_FIELDS;

/* One lock for all messages: Falco's logger takes none, and no message may follow its owner's end. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char bridge_error[ERROR_TEXT];

/* ---- What Python calls ---- */

void tfdrift_set_bridge_error(const char *text) {
    snprintf(bridge_error, sizeof bridge_error, "%s", text);
}

const char *tfdrift_bridge_error(void) {
    return bridge_error;
}

/* Cuts at the start of a character, so that the text stays UTF-8. */
static void copy_text(char *out, size_t size, const char *text) {
    size_t length = strlen(text);
    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--;
    }
    memcpy(out, text, length);
    out[length] = 0;
}

void tfdrift_set_error(falco_plugin *plugin, const char *text) {
    pthread_mutex_lock(&plugin->lock);
    copy_text(plugin->error, sizeof plugin->error, text);
    pthread_mutex_unlock(&plugin->lock);
}

void tfdrift_log(falco_plugin *plugin, int severity, const char *text) {
    pthread_mutex_lock(&log_lock);
    if (plugin->log != NULL)
        plugin->log(plugin->owner, NULL, text, severity);
    pthread_mutex_unlock(&log_lock);
}

/* Names are never moved or changed: get_metrics lends them out. */
void tfdrift_set_metric(falco_plugin *plugin, const char *name, uint64_t value, int monotonic) {
    pthread_mutex_lock(&plugin->lock);
    size_t at = 0;
    while (at < plugin->metric_count && strncmp(plugin->metrics[at].name, name, METRIC_NAME - 1) != 0)
        at++;
    if (at == plugin->metric_count && at < MAX_METRICS) {
        copy_text(plugin->metrics[at].name, METRIC_NAME, name);
        plugin->metric_count++;
    }
    if (at < MAX_METRICS) {
        plugin->metrics[at].value = value;
        plugin->metrics[at].monotonic = monotonic != 0;
    }
    pthread_mutex_unlock(&plugin->lock);
}

void tfdrift_set_selected(falco_plugin *plugin, const char *text) {
    free(plugin->selecting);
    plugin->selecting = strdup(text);
}

static falco_event *new_event(uint64_t time, const char *payload, size_t size) {
    if (size > UINT32_MAX - EVENT_HEAD)
        return NULL;
    falco_event *event = malloc(EVENT_HEAD + size);
    if (event == NULL)
        return NULL;
    *event = (falco_event){time, UINT64_MAX, (uint32_t)(EVENT_HEAD + size), FALCO_PLUGIN_EVENT, 2};
    const uint32_t rest[] = {4, (uint32_t)size, TFD_PLUGIN_ID};
    memcpy((char *)event + sizeof *event, rest, sizeof rest);
    memcpy((char *)event + EVENT_HEAD, payload, size);
    return event;
}

int tfdrift_push(falco_instance *instance, uint64_t time, const char *payload, size_t size) {
    falco_event *event = new_event(time, payload, size);
    if (event == NULL)
        return -1;
    pthread_mutex_lock(&instance->lock);
    while (!instance->closing &&
           (instance->count == QUEUE_EVENTS || (instance->count > 0 && instance->bytes > QUEUE_BYTES)))
        pthread_cond_wait(&instance->drained, &instance->lock);
    bool open = !instance->closing;
    if (open) {
        instance->queue[(instance->first + instance->count++) % QUEUE_EVENTS] = event;
        instance->bytes += event->size;
        pthread_cond_signal(&instance->filled);
    }
    pthread_mutex_unlock(&instance->lock);
    if (!open)
        free(event);
    return open;
}

void tfdrift_finish(falco_instance *instance) {
    pthread_mutex_lock(&instance->lock);
    instance->finished = true;
    pthread_cond_broadcast(&instance->filled);
    pthread_mutex_unlock(&instance->lock);
}

uint64_t tfdrift_handed_over(falco_instance *instance) {
    pthread_mutex_lock(&instance->lock);
    uint64_t count = instance->handed_over;
    pthread_mutex_unlock(&instance->lock);
    return count;
}

void tfdrift_set_progress(falco_instance *instance, uint64_t *count) {
    pthread_mutex_lock(&instance->lock);
    instance->progress = count;
    pthread_mutex_unlock(&instance->lock);
}

/* ---- What Falco calls: constants, before any init ---- */

EXPORT const char *plugin_get_required_api_version(void) {
    return TFD_API_VERSION;
}

EXPORT const char *plugin_get_name(void) {
    return TFD_NAME;
}

EXPORT const char *plugin_get_description(void) {
    return TFD_DESCRIPTION;
}

EXPORT const char *plugin_get_contact(void) {
    return TFD_CONTACT;
}

EXPORT const char *plugin_get_version(void) {
    return TFD_VERSION;
}

EXPORT uint32_t plugin_get_id(void) {
    return TFD_PLUGIN_ID;
}

EXPORT const char *plugin_get_event_source(void) {
    return TFD_SOURCE;
}

EXPORT const char *plugin_get_extract_event_sources(void) {
    return TFD_SOURCES_JSON;
}

EXPORT const char *plugin_get_fields(void) {
    return TFD_FIELDS_JSON;
}

EXPORT const char *plugin_get_init_schema(int32_t *type) {
    *type = FALCO_SCHEMA_JSON;
    return TFD_SCHEMA_JSON;
}

EXPORT const char *plugin_list_open_params(falco_plugin *plugin, falco_rc *rc) {
    (void)plugin;
    *rc = FALCO_SUCCESS;
    return TFD_OPEN_PARAMS_JSON;
}

/* ---- Lifecycle ---- */

EXPORT falco_plugin *plugin_init(const falco_init_input *input, falco_rc *rc) {
    *rc = FALCO_FAILURE;
    falco_plugin *plugin = calloc(1, sizeof *plugin);
    if (plugin == NULL)
        return NULL;
    pthread_mutex_init(&plugin->lock, NULL);
    plugin->owner = input->owner;
    plugin->log = input->log;
    /* A failed init still returns the plugin: Falco asks it for the error, then destroys it. */
    if (!tfd_runtime_start(plugin->error, sizeof plugin->error))
        return plugin;
    plugin->initialised = true;
    if (tfdrift_py_init(plugin, input->config != NULL ? input->config : "") == 1)
        *rc = FALCO_SUCCESS;
    else if (plugin->error[0] == 0)
        tfdrift_set_error(plugin, "the plugin could not be initialised; the log says why");
    return plugin;
}

EXPORT const char *plugin_get_last_error(falco_plugin *plugin) {
    return plugin != NULL ? plugin->error : "out of memory";
}

static void forget_selected(falco_plugin *plugin) {
    while (plugin->selected != NULL) {
        selected *gone = plugin->selected;
        plugin->selected = gone->next;
        free(gone->path);
        free(gone->value);
        free(gone);
    }
}

EXPORT void plugin_destroy(falco_plugin *plugin) {
    if (plugin == NULL)
        return;
    if (plugin->initialised && tfdrift_py_destroy(plugin) != 1)
        plugin->abandoned = true;
    pthread_mutex_lock(&log_lock);
    plugin->log = NULL;
    pthread_mutex_unlock(&log_lock);
    if (plugin->abandoned)
        return;
    forget_selected(plugin);
    free(plugin->selecting);
    free(plugin->text.data);
    for (size_t i = 0; i < TFD_FIELD_COUNT; i++)
        free(plugin->slots[i].values.memory);
    pthread_mutex_destroy(&plugin->lock);
    free(plugin);
}

static falco_instance *new_instance(void) {
    falco_instance *instance = calloc(1, sizeof *instance);
    if (instance == NULL)
        return NULL;
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&instance->lock, NULL);
    pthread_cond_init(&instance->filled, &clock);
    pthread_cond_init(&instance->drained, &clock);
    pthread_condattr_destroy(&clock);
    return instance;
}

static void free_batch(falco_instance *instance) {
    for (uint32_t i = 0; i < instance->batch_count; i++)
        free(instance->batch[i]);
    instance->batch_count = 0;
}

static void free_instance(falco_instance *instance) {
    free_batch(instance);
    for (size_t i = 0; i < instance->count; i++)
        free(instance->queue[(instance->first + i) % QUEUE_EVENTS]);
    pthread_cond_destroy(&instance->filled);
    pthread_cond_destroy(&instance->drained);
    pthread_mutex_destroy(&instance->lock);
    free(instance);
}

static void unlink_instance(falco_plugin *plugin, falco_instance *instance) {
    pthread_mutex_lock(&plugin->lock);
    struct tfd_instance **at = &plugin->instances;
    while (*at != NULL && *at != instance)
        at = &(*at)->next;
    if (*at != NULL)
        *at = instance->next;
    if (instance->newest > plugin->newest)
        plugin->newest = instance->newest;
    pthread_mutex_unlock(&plugin->lock);
}

EXPORT falco_instance *plugin_open(falco_plugin *plugin, const char *params, falco_rc *rc) {
    *rc = FALCO_FAILURE;
    plugin->error[0] = 0;
    falco_instance *instance = new_instance();
    if (instance == NULL) {
        tfdrift_set_error(plugin, "out of memory");
        return NULL;
    }
    pthread_mutex_lock(&plugin->lock);
    instance->next = plugin->instances;
    plugin->instances = instance;
    pthread_mutex_unlock(&plugin->lock);
    if (tfdrift_py_open(plugin, instance, params != NULL ? params : "") == 1) {
        *rc = FALCO_SUCCESS;
        return instance;
    }
    if (plugin->error[0] == 0)
        tfdrift_set_error(plugin, "the event source could not be opened; the log says why");
    unlink_instance(plugin, instance);
    free_instance(instance);
    return NULL;
}

EXPORT void plugin_close(falco_plugin *plugin, falco_instance *instance) {
    if (instance == NULL)
        return;
    pthread_mutex_lock(&instance->lock);
    instance->closing = true;
    pthread_cond_broadcast(&instance->drained);
    pthread_mutex_unlock(&instance->lock);
    bool ended = tfdrift_py_close(plugin, instance) == 1;
    unlink_instance(plugin, instance);
    if (ended)
        free_instance(instance);
    else
        plugin->abandoned = true;
}

/* ---- Events ---- */

static bool wait_for_events(falco_instance *instance) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_NANOSECONDS;
    until.tv_sec += until.tv_nsec / (long)SECOND;
    until.tv_nsec %= (long)SECOND;
    while (instance->count == 0 && !instance->finished)
        if (pthread_cond_timedwait(&instance->filled, &instance->lock, &until) != 0)
            break;
    return instance->count > 0;
}

EXPORT falco_rc plugin_next_batch(falco_plugin *plugin, falco_instance *instance, uint32_t *count, falco_event ***events) {
    (void)plugin;
    falco_rc rc = FALCO_SUCCESS;
    pthread_mutex_lock(&instance->lock);
    /* Asking for more is how Falco says that it is done with the last batch. */
    instance->handed_over += instance->batch_count;
    if (instance->progress != NULL)
        *instance->progress = instance->handed_over;
    free_batch(instance);
    if (wait_for_events(instance)) {
        /* Where the count outlives the process, a crash repeats the alerts of the batch at hand: let that be one. */
        uint32_t most = instance->progress != NULL ? 1 : BATCH_EVENTS;
        while (instance->count > 0 && instance->batch_count < most) {
            falco_event *event = instance->queue[instance->first];
            instance->first = (instance->first + 1) % QUEUE_EVENTS;
            instance->count--;
            instance->bytes -= event->size;
            if (event->time > instance->newest)
                instance->newest = event->time;
            instance->batch[instance->batch_count++] = event;
        }
        pthread_cond_signal(&instance->drained);
    } else {
        rc = instance->finished ? FALCO_EOF : FALCO_TIMEOUT;
    }
    *count = instance->batch_count;
    *events = instance->batch;
    pthread_mutex_unlock(&instance->lock);
    return rc;
}

EXPORT const char *plugin_event_to_string(falco_plugin *plugin, const falco_event_input *input) {
    tfd_entries entries;
    if (!tfd_event_entries(input->event, &entries))
        return "";
    plugin->text.failed = false;
    tfd_to_json(entries, FIELDS, TFD_FIELD_COUNT, &plugin->text);
    return plugin->text.failed ? "" : plugin->text.data;
}

/* ---- Fields ---- */

static selected *ask_python(falco_plugin *plugin, uint32_t id, const char *path, const char *record, size_t size) {
    selected *found = calloc(1, sizeof *found);
    if (found == NULL)
        return NULL;
    found->field = id;
    found->path = strdup(path);
    if (found->path == NULL) {
        free(found);
        return NULL;
    }
    if (tfdrift_py_select(plugin, FIELDS[id].name, path, record, size) == 1) {
        found->value = plugin->selecting;
        plugin->selecting = NULL;
    }
    found->values[0] = found->value;
    found->next = plugin->selected;
    plugin->selected = found;
    return found;
}

static void extract_path(falco_plugin *plugin, const falco_event_input *input, tfd_entries entries, falco_field *field) {
    if (plugin->selected_event != input->event || plugin->selected_number != input->number ||
        plugin->selected_time != input->event->time) {
        forget_selected(plugin);
        plugin->selected_event = input->event;
        plugin->selected_number = input->number;
        plugin->selected_time = input->event->time;
    }
    selected *found = plugin->selected;
    while (found != NULL && (found->field != field->id || strcmp(found->path, field->argument) != 0))
        found = found->next;
    size_t size = 0;
    const char *record = found == NULL ? tfd_raw_record(entries, &size) : NULL;
    if (record != NULL)
        found = ask_python(plugin, field->id, field->argument, record, size);
    if (found != NULL && found->value != NULL) {
        field->result.strings = found->values;
        field->result_count = 1;
    }
}

EXPORT falco_rc plugin_extract_fields(falco_plugin *plugin, const falco_event_input *input, falco_extract_input *wanted) {
    tfd_entries entries;
    bool readable = tfd_event_entries(input->event, &entries);
    for (uint32_t i = 0; i < wanted->field_count; i++) {
        falco_field *field = &wanted->fields[i];
        field->result_count = 0; /* not set by Falco */
        if (!readable || field->id >= TFD_FIELD_COUNT)
            continue;
        if (field->has_argument && field->argument != NULL && FIELDS[field->id].has_path) {
            extract_path(plugin, input, entries, field);
            continue;
        }
        tfd_slot *slot = &plugin->slots[field->id];
        field->result_count = tfd_extract(entries, &FIELDS[field->id], slot);
        field->result.strings = slot->values.strings;
    }
    return FALCO_SUCCESS;
}

/* ---- Metrics ---- */

/* Falco reads what it gets after the call, without a lock, and may ask on several threads at once: each web server's
 * thread for its own request, and the one that reads events.  A thread asks again only when it has read the last answer. */
static _Thread_local falco_metric metrics_out[MAX_METRICS + 2];

static void add_metric(uint32_t *count, const char *name, uint64_t value, bool monotonic) {
    falco_metric *out = &metrics_out[(*count)++];
    out->name = name;
    out->type = monotonic ? FALCO_MONOTONIC : FALCO_NON_MONOTONIC;
    out->value.u64 = value;
    out->value_type = FALCO_VALUE_U64;
}

EXPORT falco_metric *plugin_get_metrics(falco_plugin *plugin, uint32_t *count) {
    *count = 0;
    pthread_mutex_lock(&plugin->lock);
    for (size_t i = 0; i < plugin->metric_count; i++)
        add_metric(count, plugin->metrics[i].name, plugin->metrics[i].value, plugin->metrics[i].monotonic);
    uint64_t queued = 0, newest = plugin->newest;
    for (struct tfd_instance *at = plugin->instances; at != NULL; at = at->next) {
        pthread_mutex_lock(&at->lock);
        queued += at->count;
        if (at->newest > newest)
            newest = at->newest;
        pthread_mutex_unlock(&at->lock);
    }
    add_metric(count, "queue_depth", queued, false);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seconds = (uint64_t)now.tv_sec, event_seconds = newest / SECOND;
    if (newest != 0)
        add_metric(count, "last_event_age", seconds > event_seconds ? seconds - event_seconds : 0, false);
    pthread_mutex_unlock(&plugin->lock);
    return metrics_out;
}
