/* The fields of an event.  C reads them from its payload; only a field with a path asks Python. */
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "plugin.h"
#include "source_bridge.h"

/* A value found by path; lives until another event is asked for, because Falco may keep pointers that long. */
struct tfd_selected {
    tfd_selected *next;
    uint32_t field;
    char *path;
    char *value;
    const char *values[1];
};

static const tfd_field FIELDS[TFD_FIELD_COUNT] = TFD_FIELDS;

EXPORT const char *plugin_get_extract_event_sources(void) {
    return TFD_SOURCES_JSON;
}

EXPORT const char *plugin_get_fields(void) {
    return TFD_FIELDS_JSON;
}

void tfdrift_set_selected(falco_plugin *plugin, const char *text) {
    free(plugin->extraction.selecting);
    plugin->extraction.selecting = strdup(text);
}

static void forget_selected(tfd_extraction *extraction) {
    while (extraction->selected != NULL) {
        tfd_selected *gone = extraction->selected;
        extraction->selected = gone->next;
        free(gone->path);
        free(gone->value);
        free(gone);
    }
}

bool tfd_new_extraction(falco_plugin *plugin) {
    (void)plugin; /* it comes zeroed, and grows with what is asked for */
    return true;
}

void tfd_free_extraction(falco_plugin *plugin) {
    tfd_extraction *extraction = &plugin->extraction;
    forget_selected(extraction);
    free(extraction->selecting);
    free(extraction->text.data);
    for (size_t i = 0; i < TFD_FIELD_COUNT; i++)
        free(extraction->slots[i].values.memory);
}

EXPORT const char *plugin_event_to_string(falco_plugin *plugin, const falco_event_input *input) {
    tfd_entries entries;
    if (!tfd_event_entries(input->event, &entries))
        return "";
    tfd_text *text = &plugin->extraction.text;
    text->failed = false;
    tfd_to_json(entries, FIELDS, TFD_FIELD_COUNT, text);
    return text->failed ? "" : text->data;
}

static tfd_selected *ask_python(falco_plugin *plugin, uint32_t id, const char *path, const char *record, size_t size) {
    tfd_selected *found = calloc(1, sizeof *found);
    if (found == NULL)
        return NULL;
    found->field = id;
    found->path = strdup(path);
    if (found->path == NULL) {
        free(found);
        return NULL;
    }
    if (tfdrift_py_select(plugin, FIELDS[id].name, path, record, size) == 1) {
        found->value = plugin->extraction.selecting;
        plugin->extraction.selecting = NULL;
    }
    found->values[0] = found->value;
    found->next = plugin->extraction.selected;
    plugin->extraction.selected = found;
    return found;
}

static void extract_path(falco_plugin *plugin, const falco_event_input *input, tfd_entries entries, falco_field *field) {
    tfd_extraction *extraction = &plugin->extraction;
    if (extraction->selected_event != input->event || extraction->selected_number != input->number ||
        extraction->selected_time != input->event->time) {
        forget_selected(extraction);
        extraction->selected_event = input->event;
        extraction->selected_number = input->number;
        extraction->selected_time = input->event->time;
    }
    tfd_selected *found = extraction->selected;
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
        tfd_extract_field(entries, &FIELDS[field->id], &plugin->extraction.slots[field->id], field);
    }
    return FALCO_SUCCESS;
}
