/* Fields for the events of Falco's cloudtrail plugin, whose payload is the record as JSON.
 *
 * Most events only read: C tells them apart.  Any other record goes to a thread of Python's, and Falco's thread waits for
 * its answer, a payload of ours, within bounds. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bridge.h"
#include "enrich_bridge.h"
#include "plugin.h"
#include "sift.h"

enum {
    WAITING = 64,         /* records that Python has not come to */
    ANSWER_SECONDS = 2,   /* Falco waits so long for an event's fields */
    START_SECONDS = 60,   /* and so long, once, for state to be loaded */
    TAKE_NANOSECONDS = 100 * 1000 * 1000,
};

typedef struct {
    uint64_t ticket;
    char *record;
    size_t size;
} tfd_request;

struct tfd_enrichment {
    pthread_mutex_t lock;
    pthread_cond_t asked;
    pthread_cond_t answered;
    tfd_request requests[WAITING];
    size_t first;
    size_t count;
    char *taken; /* the record that Python has */
    uint64_t ticket;
    uint64_t answered_ticket;
    char *answer;
    size_t answer_size;
    bool begun;
    bool ready;
    uint64_t asked_count;
    uint64_t late_count;
    uint64_t left_out_count;
    /* Falco's thread alone. */
    tfdrift_sifter *sifter;
    char *payload; /* of the event at hand; fields point into it */
    size_t payload_size;
    const falco_event *event;
    uint64_t event_number;
    uint64_t event_time;
};

static const tfd_field FIELDS[TFD_FIELD_COUNT] = TFD_FIELDS;

EXPORT const char *plugin_get_extract_event_sources(void) {
    return TFD_SOURCES_JSON;
}

EXPORT const char *plugin_get_fields(void) {
    return TFD_FIELDS_JSON;
}

static struct timespec after(long seconds, long nanoseconds) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += nanoseconds;
    until.tv_sec += seconds + until.tv_nsec / (long)TFD_SECOND;
    until.tv_nsec %= (long)TFD_SECOND;
    return until;
}

/* ---- What Python calls ---- */

void tfdrift_ready(falco_plugin *plugin) {
    tfd_enrichment *own = plugin->enrichment;
    pthread_mutex_lock(&own->lock);
    own->ready = true;
    pthread_cond_broadcast(&own->answered);
    pthread_mutex_unlock(&own->lock);
}

size_t tfdrift_take(falco_plugin *plugin, uint64_t *ticket, const char **record) {
    tfd_enrichment *own = plugin->enrichment;
    size_t size = 0;
    struct timespec until = after(0, TAKE_NANOSECONDS);
    pthread_mutex_lock(&own->lock);
    while (own->count == 0 && pthread_cond_timedwait(&own->asked, &own->lock, &until) == 0) {
    }
    if (own->count > 0) {
        tfd_request *request = &own->requests[own->first];
        own->first = (own->first + 1) % WAITING;
        own->count--;
        free(own->taken);
        own->taken = request->record;
        *record = request->record;
        *ticket = request->ticket;
        size = request->size;
    }
    pthread_mutex_unlock(&own->lock);
    return size;
}

void tfdrift_answer(falco_plugin *plugin, uint64_t ticket, const char *payload, size_t size) {
    tfd_enrichment *own = plugin->enrichment;
    char *copy = size > 0 ? malloc(size) : NULL;
    if (copy != NULL)
        memcpy(copy, payload, size);
    pthread_mutex_lock(&own->lock);
    free(own->answer);
    own->answer = copy;
    own->answer_size = copy != NULL ? size : 0;
    own->answered_ticket = ticket;
    pthread_cond_broadcast(&own->answered);
    pthread_mutex_unlock(&own->lock);
}

/* ---- What Falco calls ---- */

bool tfd_new_extraction(falco_plugin *plugin) {
    tfd_enrichment *own = plugin->enrichment = calloc(1, sizeof *own);
    if (own == NULL)
        return false;
    own->sifter = tfdrift_sifter_new();
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&own->lock, NULL);
    pthread_cond_init(&own->asked, &clock);
    pthread_cond_init(&own->answered, &clock);
    pthread_condattr_destroy(&clock);
    return true;
}

/* The thread that loads state begins with the first capture, not with init: a hot restart inits once more only to see
 * whether the configuration is right.  Falco waits until state is there, so that the first events have their fields. */
static void begin(falco_plugin *plugin) {
    tfd_enrichment *own = plugin->enrichment;
    if (own->begun)
        return;
    own->begun = true;
    if (tfdrift_py_begin(plugin) != 1)
        return;
    struct timespec until = after(START_SECONDS, 0);
    pthread_mutex_lock(&own->lock);
    while (!own->ready && pthread_cond_timedwait(&own->answered, &own->lock, &until) == 0) {
    }
    bool ready = own->ready;
    pthread_mutex_unlock(&own->lock);
    if (!ready)
        tfdrift_log(plugin, 4, "state is not loaded yet; until it is, events have no fields of tfdrift");
}

EXPORT falco_rc plugin_capture_open(falco_plugin *plugin, const void *input) {
    (void)input;
    begin(plugin);
    return FALCO_SUCCESS;
}

EXPORT falco_rc plugin_capture_close(falco_plugin *plugin, const void *input) {
    (void)plugin, (void)input;
    return FALCO_SUCCESS;
}

/* The number under which Python is asked, 0 if it cannot be. */
static uint64_t ask(tfd_enrichment *own, const char *record, size_t size) {
    char *copy = malloc(size);
    if (copy == NULL)
        return 0;
    memcpy(copy, record, size);
    uint64_t ticket = 0;
    pthread_mutex_lock(&own->lock);
    own->asked_count++;
    if (own->count < WAITING) {
        ticket = ++own->ticket;
        own->requests[(own->first + own->count++) % WAITING] = (tfd_request){ticket, copy, size};
        copy = NULL;
        pthread_cond_signal(&own->asked);
    } else {
        own->left_out_count++;
    }
    pthread_mutex_unlock(&own->lock);
    free(copy);
    return ticket;
}

static void wait_for(tfd_enrichment *own, uint64_t ticket) {
    struct timespec until = after(ANSWER_SECONDS, 0);
    pthread_mutex_lock(&own->lock);
    while (own->ready && own->answered_ticket < ticket &&
           pthread_cond_timedwait(&own->answered, &own->lock, &until) == 0) {
    }
    if (own->answered_ticket == ticket) {
        own->payload = own->answer;
        own->payload_size = own->answer_size;
        own->answer = NULL;
        own->answer_size = 0;
    } else {
        own->late_count++;
    }
    pthread_mutex_unlock(&own->lock);
}

/* Finds out about an event once, however many of its fields are asked for. */
static void look_at(falco_plugin *plugin, const falco_event_input *input) {
    tfd_enrichment *own = plugin->enrichment;
    if (own->event == input->event && own->event_number == input->number && own->event_time == input->event->time)
        return;
    own->event = input->event;
    own->event_number = input->number;
    own->event_time = input->event->time;
    free(own->payload);
    own->payload = NULL;
    own->payload_size = 0;
    const char *record;
    size_t size;
    if (!tfd_event_bytes(input->event, &record, &size) || size == 0 || size > TFD_MAX_RECORD ||
        tfdrift_sift_record(own->sifter, record, size) == TFD_READ)
        return;
    uint64_t ticket = ask(own, record, size);
    if (ticket != 0)
        wait_for(own, ticket);
}

EXPORT falco_rc plugin_extract_fields(falco_plugin *plugin, const falco_event_input *input, falco_extract_input *wanted) {
    const tfd_enrichment *own = plugin->enrichment;
    tfd_entries entries;
    begin(plugin);
    look_at(plugin, input);
    bool readable = tfd_payload_entries(own->payload, own->payload_size, &entries);
    for (uint32_t i = 0; i < wanted->field_count; i++) {
        falco_field *field = &wanted->fields[i];
        field->result_count = 0; /* not set by Falco */
        if (!readable || field->id >= TFD_FIELD_COUNT)
            continue;
        tfd_extract_field(entries, &FIELDS[field->id], &plugin->extraction.slots[field->id], field);
    }
    return FALCO_SUCCESS;
}

void tfd_own_metrics(falco_plugin *plugin, tfd_tell *tell, void *out) {
    tfd_enrichment *own = plugin->enrichment;
    pthread_mutex_lock(&own->lock);
    tell(out, "events_asked", own->asked_count, true);
    tell(out, "events_late", own->late_count, true);
    tell(out, "events_left_out", own->left_out_count, true);
    pthread_mutex_unlock(&own->lock);
}

void tfd_free_extraction(falco_plugin *plugin) {
    for (size_t i = 0; i < TFD_FIELD_COUNT; i++)
        free(plugin->extraction.slots[i].values.memory);
    tfd_enrichment *own = plugin->enrichment;
    if (own == NULL)
        return;
    for (size_t i = 0; i < own->count; i++)
        free(own->requests[(own->first + i) % WAITING].record);
    free(own->taken);
    free(own->answer);
    free(own->payload);
    tfdrift_sifter_free(own->sifter);
    pthread_cond_destroy(&own->asked);
    pthread_cond_destroy(&own->answered);
    pthread_mutex_destroy(&own->lock);
    free(own);
}
