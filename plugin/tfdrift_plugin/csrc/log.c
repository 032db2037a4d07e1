/* What Falco is told in words: messages, and the error of the last call that failed. */
#include <pthread.h>
#include <string.h>

#include "bridge.h"
#include "plugin.h"

/* One lock for all messages: Falco's logger takes none, and no message may follow its owner's end. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

void tfd_copy_text(char *out, size_t size, const char *text) {
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
    tfd_copy_text(plugin->error, sizeof plugin->error, text);
    pthread_mutex_unlock(&plugin->lock);
}

EXPORT const char *plugin_get_last_error(falco_plugin *plugin) {
    return plugin != NULL ? plugin->error : "out of memory";
}

void tfdrift_log(falco_plugin *plugin, int severity, const char *text) {
    pthread_mutex_lock(&log_lock);
    if (plugin->logger.write != NULL)
        plugin->logger.write(plugin->logger.owner, NULL, text, severity);
    pthread_mutex_unlock(&log_lock);
}

void tfd_end_log(falco_plugin *plugin) {
    pthread_mutex_lock(&log_lock);
    plugin->logger.write = NULL;
    pthread_mutex_unlock(&log_lock);
}
