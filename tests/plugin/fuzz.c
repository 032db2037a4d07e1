/* Reads payloads from stdin (each with its length, u32, before it), lets the plugin's own code extract everything from
 * them, and prints each one's JSON on a line.  Each payload lies in a block of just its size, so that a sanitizer sees a
 * read behind its end.  With arguments, the values of tf.tags that have these keys come before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generated.h"
#include "payload.h"

static const tfd_field FIELDS[TFD_FIELD_COUNT] = TFD_FIELDS;
static tfd_slot slots[TFD_FIELD_COUNT];

static unsigned long use(const tfd_field *field, const tfd_slot *slot, size_t count) {
    unsigned long sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (field->type == FALCO_STRING)
            sum += strlen(slot->values.strings[i]);
        else if (field->type == FALCO_BOOL)
            sum += slot->values.flags[i];
        else
            sum += slot->values.numbers[i] & 1;
    }
    return sum;
}

static unsigned long use_keys(tfd_entries entries, const tfd_field *field, tfd_slot *slot, char **keys) {
    unsigned long sum = 0;
    const char **first = *keys != NULL ? tfd_extract_key(entries, field, *keys, slot) : NULL;
    for (char **key = keys; *key != NULL; key++) {
        falco_field wanted = {.argument = *key, .has_argument = 1};
        tfd_extract_field(entries, field, slot, &wanted);
        if (strcmp(field->name, "tf.tags") == 0)
            printf("%s ", wanted.result_count != 0 ? *wanted.result.strings : "-");
    }
    if (first != NULL)
        sum += strlen(*first);
    falco_field none = {.has_argument = 0};
    tfd_extract_field(entries, field, slot, &none);
    return sum + none.result_count;
}

static void run(const uint8_t *payload, uint32_t size, tfd_text *text, char **keys) {
    size_t event_size = 38 + (size_t)size;
    falco_event *event = malloc(event_size);
    *event = (falco_event){1, 2, (uint32_t)event_size, FALCO_PLUGIN_EVENT, 2};
    const uint32_t rest[] = {4, size, TFD_PLUGIN_ID};
    memcpy((char *)event + sizeof *event, rest, sizeof rest);
    memcpy((char *)event + 38, payload, size);
    unsigned long sum = 0;
    tfd_entries entries;
    if (tfd_event_entries(event, &entries)) {
        for (size_t i = 0; i < TFD_FIELD_COUNT; i++) {
            sum += use(&FIELDS[i], &slots[i], tfd_extract(entries, &FIELDS[i], &slots[i]));
            if (FIELDS[i].has_key)
                sum += use_keys(entries, &FIELDS[i], &slots[i], keys);
        }
        size_t record_size = 0;
        const char *record = tfd_raw_record(entries, &record_size);
        sum += record != NULL ? strlen(record) - record_size : 0;
        tfd_to_json(entries, FIELDS, TFD_FIELD_COUNT, text);
        puts(text->data);
    } else {
        puts("null");
    }
    if (sum == 42424242)
        puts("");
    /* Lengths in the head that promise more than there is must be refused, whatever the payload. */
    uint32_t lie = size + 1;
    memcpy((char *)event + sizeof *event + 4, &lie, sizeof lie);
    if (tfd_event_entries(event, &entries))
        abort();
    free(event);
}

int main(int argc, char **argv) {
    (void)argc;
    uint32_t size;
    tfd_text text = {0};
    while (fread(&size, sizeof size, 1, stdin) == 1) {
        uint8_t *payload = malloc(size + 1);
        if (payload == NULL || fread(payload, 1, size, stdin) != size)
            return 2;
        run(payload, size, &text, argv + 1);
        free(payload);
    }
    for (size_t i = 0; i < TFD_FIELD_COUNT; i++)
        free(slots[i].values.memory);
    free(text.data);
    return 0;
}
