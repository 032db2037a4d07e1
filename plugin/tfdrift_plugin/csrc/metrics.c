/* Counters and gauges: Python sets them, Falco asks for them. */
#include <pthread.h>
#include <string.h>

#include "bridge.h"
#include "plugin.h"

/* Names are never moved or changed: get_metrics lends them out. */
void tfdrift_set_metric(falco_plugin *plugin, const char *name, uint64_t value, int monotonic) {
    tfd_metrics *metrics = &plugin->metrics;
    pthread_mutex_lock(&plugin->lock);
    size_t at = 0;
    while (at < metrics->count && strncmp(metrics->all[at].name, name, TFD_METRIC_NAME - 1) != 0)
        at++;
    if (at == metrics->count && at < TFD_MAX_METRICS) {
        tfd_copy_text(metrics->all[at].name, TFD_METRIC_NAME, name);
        metrics->count++;
    }
    if (at < TFD_MAX_METRICS) {
        metrics->all[at].value = value;
        metrics->all[at].monotonic = monotonic != 0;
    }
    pthread_mutex_unlock(&plugin->lock);
}

/* Falco reads what it gets after the call, without a lock, and may ask on several threads at once: each web server's
 * thread for its own request, and the one that reads events.  A thread asks again only when it has read the last answer. */
static _Thread_local falco_metric metrics_out[TFD_MAX_METRICS + TFD_OWN_METRICS];

static void add_metric(void *count, const char *name, uint64_t value, bool monotonic) {
    falco_metric *out = &metrics_out[(*(uint32_t *)count)++];
    out->name = name;
    out->type = monotonic ? FALCO_MONOTONIC : FALCO_NON_MONOTONIC;
    out->value.u64 = value;
    out->value_type = FALCO_VALUE_U64;
}

EXPORT falco_metric *plugin_get_metrics(falco_plugin *plugin, uint32_t *count) {
    *count = 0;
    pthread_mutex_lock(&plugin->lock);
    for (size_t i = 0; i < plugin->metrics.count; i++) {
        const tfd_metric *metric = &plugin->metrics.all[i];
        add_metric(count, metric->name, metric->value, metric->monotonic);
    }
    tfd_own_metrics(plugin, add_metric, count);
    pthread_mutex_unlock(&plugin->lock);
    return metrics_out;
}
