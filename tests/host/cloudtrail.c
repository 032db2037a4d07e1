/* Stands in for Falco's cloudtrail plugin where that cannot be had: open_params name a file of records, one a line, and
 * each becomes the payload of an event as it is. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "falco_abi.h"

#define EXPORT __attribute__((visibility("default")))

enum { HEAD = 26 + 4 + 4 + 4, ID = 2, LINE = 1 << 20 };

struct tfd_instance {
    FILE *file;
    falco_event *event;
};

EXPORT const char *plugin_get_required_api_version(void) {
    return "3.0.0";
}

EXPORT const char *plugin_get_name(void) {
    return "cloudtrail";
}

EXPORT const char *plugin_get_description(void) {
    return "stands in for the cloudtrail plugin";
}

EXPORT const char *plugin_get_contact(void) {
    return "nobody";
}

EXPORT const char *plugin_get_version(void) {
    return "0.17.1";
}

EXPORT uint32_t plugin_get_id(void) {
    return ID;
}

EXPORT const char *plugin_get_event_source(void) {
    return "aws_cloudtrail";
}

EXPORT const char *plugin_get_last_error(falco_plugin *plugin) {
    (void)plugin;
    return "no such file";
}

EXPORT falco_plugin *plugin_init(const falco_init_input *input, falco_rc *rc) {
    (void)input;
    static char plugin;
    *rc = FALCO_SUCCESS;
    return (falco_plugin *)&plugin;
}

EXPORT void plugin_destroy(falco_plugin *plugin) {
    (void)plugin;
}

EXPORT falco_instance *plugin_open(falco_plugin *plugin, const char *params, falco_rc *rc) {
    (void)plugin;
    falco_instance *instance = calloc(1, sizeof *instance);
    instance->file = fopen(params, "r");
    instance->event = malloc(HEAD + LINE);
    *rc = instance->file != NULL ? FALCO_SUCCESS : FALCO_FAILURE;
    return instance;
}

EXPORT void plugin_close(falco_plugin *plugin, falco_instance *instance) {
    (void)plugin;
    if (instance == NULL)
        return;
    if (instance->file != NULL)
        fclose(instance->file);
    free(instance->event);
    free(instance);
}

EXPORT falco_rc plugin_next_batch(falco_plugin *plugin, falco_instance *instance, uint32_t *count, falco_event ***events) {
    (void)plugin;
    char *line = (char *)instance->event + HEAD;
    *count = 0;
    if (fgets(line, LINE, instance->file) == NULL)
        return FALCO_EOF;
    uint32_t size = (uint32_t)strcspn(line, "\n");
    *instance->event = (falco_event){1700000000000000000u, UINT64_MAX, HEAD + size, FALCO_PLUGIN_EVENT, 2};
    const uint32_t rest[] = {4, size, ID};
    memcpy((char *)instance->event + sizeof *instance->event, rest, sizeof rest);
    *count = 1;
    *events = &instance->event;
    return FALCO_SUCCESS;
}
