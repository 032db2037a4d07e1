/* A source plugin for Falco that hands out the events of a file, with whatever values a test put there; and, on demand,
 * a plugin that breaks the rules.  open_params is the file, init_config may hold one of the words of `misdeeds`.
 *
 * The file: per event its time (u64), size (u32) and payload; the payload: per value its field (u8), size (u32), bytes. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { HEAD = 38, MAX_EVENTS = 4096, MAX_VALUES = 64, FIELDS = 256 };
enum { SUCCESS = 0, FAILURE = 1, TIMEOUT = -1, END = 2 };

typedef struct { const char *config; void *owner; void *last_error; void *tables; void (*log)(void *, const char *, const char *, int32_t); } init_input;
typedef struct { uint8_t *event; uint64_t number; const char *source; } event_input;
typedef struct {
    void *result; uint64_t count; uint32_t id; const char *name; const char *key; uint64_t index;
    uint32_t has_argument; uint32_t type; uint32_t is_list;
} field;
typedef struct { void *owner; void *last_error; uint32_t count; field *fields; void *table_reader[4]; void *table_reader_ext; uint64_t **value_offsets; } extract_input;
typedef struct { const char *name; int32_t type; uint64_t value; int32_t value_type; } metric;

typedef struct {
    init_input input;
    const char *error;
    bool broken, empty, foreign, several, offsets, failing, waiting;
    uint8_t *events[MAX_EVENTS];
    uint32_t count, next;
    union { char *text[MAX_VALUES]; uint64_t number[MAX_VALUES]; uint32_t flag[MAX_VALUES]; } values[FIELDS];
    metric metrics[1];
} plugin;

EXPORT const char *plugin_get_required_api_version(void) { return STANDIN_API; }
EXPORT const char *plugin_get_name(void) { return "standin"; }
EXPORT const char *plugin_get_description(void) { return "Events from a file"; }
EXPORT const char *plugin_get_contact(void) { return "tests"; }
EXPORT const char *plugin_get_version(void) { return "1.2.3"; }
EXPORT uint32_t plugin_get_id(void) { return 998; }
EXPORT const char *plugin_get_event_source(void) { return "standin"; }
EXPORT const char *plugin_get_extract_event_sources(void) { return "[\"standin\"]"; }
EXPORT const char *plugin_get_fields(void) { return STANDIN_FIELDS; }

EXPORT const char *plugin_get_init_schema(int32_t *kind) {
    *kind = 1;
    return "{\"type\": \"object\", \"properties\": {\"do\": {\"type\": \"string\"}}, \"additionalProperties\": false}";
}

EXPORT void *plugin_init(const init_input *input, int32_t *rc) {
    plugin *p = calloc(1, sizeof *p);
    p->input = *input;
    bool *misdeeds[] = {&p->broken, &p->empty, &p->foreign, &p->several, &p->offsets, &p->failing, &p->waiting};
    const char *words[] = {"broken", "empty", "foreign", "several", "offsets", "failing", "waiting"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        *misdeeds[i] = strstr(input->config, words[i]) != NULL;
    p->error = "it is broken on purpose";
    if (input->log != NULL)
        input->log(input->owner, NULL, "hello from init", 4);
    *rc = p->broken ? FAILURE : SUCCESS;
    return p;
}

EXPORT void plugin_destroy(void *p) {
    free(p);
}

EXPORT const char *plugin_get_last_error(plugin *p) { return p->error; }
EXPORT const char *plugin_list_open_params(plugin *p, int32_t *rc) { (void)p; *rc = SUCCESS; return "[]"; }

EXPORT void *plugin_open(plugin *p, const char *path, int32_t *rc) {
    *rc = FAILURE;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        p->error = "no such file";
        return NULL;
    }
    uint64_t time;
    uint32_t size;
    for (p->count = 0; p->count < MAX_EVENTS && fread(&time, 8, 1, file) == 1 && fread(&size, 4, 1, file) == 1; p->count++) {
        uint8_t *event = p->events[p->count] = calloc(1, HEAD + size);
        uint64_t thread = 0;
        uint32_t total = HEAD + size, params = 2, id_size = 4, id = p->foreign ? 7 : 998;
        uint16_t type = 322;
        memcpy(event, &time, 8), memcpy(event + 8, &thread, 8), memcpy(event + 16, &total, 4), memcpy(event + 20, &type, 2);
        memcpy(event + 22, &params, 4), memcpy(event + 26, &id_size, 4), memcpy(event + 30, &size, 4), memcpy(event + 34, &id, 4);
        if (fread(event + HEAD, 1, size, file) != size)
            break;
    }
    fclose(file);
    *rc = SUCCESS;
    return p;
}

EXPORT void plugin_close(plugin *p, void *instance) {
    (void)instance;
    while (p->count > 0)
        free(p->events[--p->count]);
}

EXPORT int32_t plugin_next_batch(plugin *p, void *instance, uint32_t *count, uint8_t ***events) {
    (void)instance;
    *events = p->events + p->next;
    *count = p->empty ? 0 : p->count - p->next;
    if (p->failing) {
        *count = 0;
        return FAILURE;
    }
    if (*count > 7)
        *count = 7;
    p->next += *count;
    if (*count > 0 || p->empty)
        return SUCCESS;
    return p->waiting ? TIMEOUT : END;
}

EXPORT const char *plugin_event_to_string(plugin *p, const event_input *input) {
    (void)p, (void)input;
    return "an event";
}

static uint64_t walk(plugin *p, const uint8_t *event, const field *wanted) {
    uint32_t size, id = wanted->id;
    uint64_t found = 0;
    memcpy(&size, event + 30, 4);
    const uint8_t *at = event + HEAD, *end = at + size;
    while (found < MAX_VALUES && end - at >= 5) {
        uint32_t length;
        memcpy(&length, at + 1, 4);
        const uint8_t *bytes = at + 5;
        if (length > (size_t)(end - bytes))
            break;
        if (*at == id && wanted->type == 9) {
            size_t skip = 0;
            if (wanted->has_argument) {
                skip = strlen(wanted->key) + 1;
                if (strncmp((const char *)bytes, wanted->key, skip - 1) != 0 || bytes[skip - 1] != '=')
                    skip = length;
            }
            if (skip < length)
                p->values[id].text[found++] = (char *)bytes + skip;
        } else if (*at == id && wanted->type == 25) {
            p->values[id].flag[found++] = bytes[0];
        } else if (*at == id) {
            memcpy(&p->values[id].number[found++], bytes, 8);
        }
        at = bytes + length;
    }
    return found;
}

EXPORT int32_t plugin_extract_fields(plugin *p, const event_input *input, const extract_input *wanted) {
    for (uint32_t i = 0; i < wanted->count; i++) {
        field *one = &wanted->fields[i];
        one->count = one->id < FIELDS ? walk(p, input->event, one) : 0;
        if (one->count > 1 && !one->is_list)
            one->count = 1;
        one->result = &p->values[one->id];
        if (p->several)
            one->count = 2;
        if (p->offsets && wanted->value_offsets != NULL)
            *wanted->value_offsets = NULL;
    }
    return SUCCESS;
}

EXPORT metric *plugin_get_metrics(plugin *p, uint32_t *count) {
    *count = 1;
    p->metrics[0] = (metric){"events", 0, p->next, 2};
    return p->metrics;
}
