/* Falco's plugin API for TFDrift: what the library is, and how it begins and ends.  Constants come before any init and
 * need no Python; init and destroy enter it. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "bridge.h"
#include "plugin.h"
#include "runtime.h"

static char bridge_error[TFD_ERROR_TEXT];

void tfdrift_set_bridge_error(const char *text) {
    tfd_copy_text(bridge_error, sizeof bridge_error, text);
}

static bool load_bridge(char *error, size_t size) {
    if (tfdrift_py_ready() == 1)
        return true;
    snprintf(error, size, "cannot load tfdrift's Python modules%s%s", bridge_error[0] != 0 ? ": " : "", bridge_error);
    return false;
}

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

EXPORT const char *plugin_get_init_schema(int32_t *type) {
    *type = FALCO_SCHEMA_JSON;
    return TFD_SCHEMA_JSON;
}

EXPORT falco_plugin *plugin_init(const falco_init_input *input, falco_rc *rc) {
    *rc = FALCO_FAILURE;
    falco_plugin *plugin = calloc(1, sizeof *plugin);
    if (plugin == NULL)
        return NULL;
    pthread_mutex_init(&plugin->lock, NULL);
    plugin->logger = (tfd_logger){input->owner, input->log};
    if (!tfd_new_extraction(plugin)) {
        tfdrift_set_error(plugin, "out of memory");
        return plugin;
    }
    /* A failed init still returns the plugin: Falco asks it for the error, then destroys it. */
    if (!tfd_runtime_start(load_bridge, plugin->error, sizeof plugin->error))
        return plugin;
    plugin->initialised = true;
    if (tfdrift_py_init(plugin, input->config != NULL ? input->config : "") == 1)
        *rc = FALCO_SUCCESS;
    else if (plugin->error[0] == 0)
        tfdrift_set_error(plugin, "the plugin could not be initialised; the log says why");
    return plugin;
}

EXPORT void plugin_destroy(falco_plugin *plugin) {
    if (plugin == NULL)
        return;
    if (plugin->initialised && tfdrift_py_destroy(plugin) != 1)
        plugin->abandoned = true;
    tfd_end_log(plugin);
    if (plugin->abandoned)
        return;
    tfd_free_extraction(plugin);
    pthread_mutex_destroy(&plugin->lock);
    free(plugin);
}
