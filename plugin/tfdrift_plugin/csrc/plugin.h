/* What Falco holds of a library: one struct for each init.  Each file has its part of it; source.c and extract.c make the
 * library that brings events, enrich.c the one that adds fields to those of another plugin. */
#ifndef TFD_PLUGIN_H
#define TFD_PLUGIN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "falco_abi.h"
#include "generated.h"
#include "payload.h"

#define EXPORT __attribute__((visibility("default")))

enum {
    TFD_MAX_METRICS = 256,
    TFD_METRIC_NAME = 96,
    TFD_ERROR_TEXT = 4096,
    TFD_OWN_METRICS = 8,
};

static const uint64_t TFD_SECOND = 1000000000u;

/* log.c */
typedef struct {
    void *owner;
    void (*write)(void *owner, const char *component, const char *message, int32_t severity);
} tfd_logger;

/* metrics.c */
typedef struct {
    char name[TFD_METRIC_NAME];
    uint64_t value;
    bool monotonic;
} tfd_metric;

typedef struct {
    tfd_metric all[TFD_MAX_METRICS];
    size_t count;
} tfd_metrics;

/* source.c */
typedef struct {
    falco_instance *open;
    uint64_t newest; /* time of the newest event of closed instances */
} tfd_instances;

/* extract.c */
typedef struct tfd_selected tfd_selected;

typedef struct {
    tfd_slot slots[TFD_FIELD_COUNT];
    tfd_text text;
    tfd_selected *selected;
    const falco_event *selected_event;
    uint64_t selected_number;
    uint64_t selected_time;
    char *selecting; /* what Python found for the path that is being asked for */
} tfd_extraction;

/* enrich.c */
typedef struct tfd_enrichment tfd_enrichment;

struct tfd_plugin {
    bool initialised;
    bool abandoned;       /* a Python thread did not end in time and may still hold this */
    tfd_logger logger;    /* under the lock of log.c */
    pthread_mutex_t lock; /* of the next three */
    char error[TFD_ERROR_TEXT];
    tfd_metrics metrics;
    tfd_instances instances;
    tfd_extraction extraction; /* Falco's thread alone */
    tfd_enrichment *enrichment;
};

/* Copies text that fits into `size` bytes, cut at the start of a character, so that it stays UTF-8. */
void tfd_copy_text(char *out, size_t size, const char *text);

/* No message follows: Falco's owner of the plugin is about to go. */
void tfd_end_log(falco_plugin *plugin);

/* What extract.c or enrich.c has of it; false where there is no memory. */
bool tfd_new_extraction(falco_plugin *plugin);
void tfd_free_extraction(falco_plugin *plugin);

typedef void tfd_tell(void *out, const char *name, uint64_t value, bool monotonic);

/* The metrics that source.c or enrich.c counts itself, at most TFD_OWN_METRICS; under the plugin's lock. */
void tfd_own_metrics(falco_plugin *plugin, tfd_tell *tell, void *out);

#endif
