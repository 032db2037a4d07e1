/* Events.  A Python thread puts them into a bounded queue and Falco takes them out, so that next_batch never waits for the
 * GIL. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bridge.h"
#include "plugin.h"
#include "source_bridge.h"

enum {
    QUEUE_EVENTS = 1024,
    BATCH_EVENTS = 128,
    WAIT_NANOSECONDS = 30 * 1000 * 1000, /* Falco looks at its signals only between two batches */
    EVENT_HEAD = 26 + 4 + 4 + 4,
};

static const size_t QUEUE_BYTES = 64u << 20;

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

EXPORT uint32_t plugin_get_id(void) {
    return TFD_PLUGIN_ID;
}

EXPORT const char *plugin_get_event_source(void) {
    return TFD_SOURCE;
}

EXPORT const char *plugin_list_open_params(falco_plugin *plugin, falco_rc *rc) {
    (void)plugin;
    *rc = FALCO_SUCCESS;
    return TFD_OPEN_PARAMS_JSON;
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
    struct tfd_instance **at = &plugin->instances.open;
    while (*at != NULL && *at != instance)
        at = &(*at)->next;
    if (*at != NULL)
        *at = instance->next;
    if (instance->newest > plugin->instances.newest)
        plugin->instances.newest = instance->newest;
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
    instance->next = plugin->instances.open;
    plugin->instances.open = instance;
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

static bool wait_for_events(falco_instance *instance) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_NANOSECONDS;
    until.tv_sec += until.tv_nsec / (long)TFD_SECOND;
    until.tv_nsec %= (long)TFD_SECOND;
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

void tfd_own_metrics(falco_plugin *plugin, tfd_tell *tell, void *out) {
    uint64_t waiting = 0, newest = plugin->instances.newest;
    for (falco_instance *at = plugin->instances.open; at != NULL; at = at->next) {
        pthread_mutex_lock(&at->lock);
        waiting += at->count;
        if (at->newest > newest)
            newest = at->newest;
        pthread_mutex_unlock(&at->lock);
    }
    tell(out, "queue_depth", waiting, false);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seconds = (uint64_t)now.tv_sec, event_seconds = newest / TFD_SECOND;
    if (newest != 0)
        tell(out, "last_event_age", seconds > event_seconds ? seconds - event_seconds : 0, false);
}
