/* Reads payloads (see tfdrift_core/output/payload.py for the format).  Payloads may come from hostile capture files: every
 * read is checked, and no text leaves here that is not valid UTF-8. */
#ifndef TFD_PAYLOAD_H
#define TFD_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "falco_abi.h"

typedef struct {
    uint16_t number; /* in the payload */
    uint8_t type;    /* FALCO_STRING, ... */
    bool is_list;
    bool has_path;
    bool has_key; /* its texts are `key=value`, and an argument selects one */
    bool has_index; /* an argument selects one of its values */
    const char *name;
} tfd_field;

/* Payload entries that have not been read yet. */
typedef struct {
    const uint8_t *data;
    size_t size;
} tfd_entries;

typedef struct {
    uint16_t number;
    const uint8_t *data;
    uint32_t size;
} tfd_entry;

/* The values of one field of one event, kept until the field is read from another event. */
typedef struct {
    union {
        const char **strings;
        uint64_t *numbers;
        uint32_t *flags;
        void *memory;
    } values;
    size_t capacity;
} tfd_slot;

typedef struct {
    char *data;
    size_t size;
    size_t capacity;
    bool failed; /* out of memory */
} tfd_text;

/* The bytes that a plugin put into a Falco event; false if the event is not one of a plugin, or its lengths do not fit. */
bool tfd_event_bytes(const falco_event *event, const char **bytes, size_t *size);

/* The payload of a Falco event; false if the event is not one of a plugin, or its lengths do not fit. */
bool tfd_event_entries(const falco_event *event, tfd_entries *entries);

/* False if the bytes are not a payload of a version that can be read. */
bool tfd_payload_entries(const void *payload, size_t size, tfd_entries *entries);

/* Takes the next entry off; false at the end, or where an entry does not fit into what is left. */
bool tfd_next_entry(tfd_entries *entries, tfd_entry *entry);

/* The text of an entry, NULL if it is not text that may be shown. */
const char *tfd_entry_text(const tfd_entry *entry);

/* Puts the values of a field into the slot and returns how many there are. Texts point into the payload. */
size_t tfd_extract(tfd_entries entries, const tfd_field *field, tfd_slot *slot);

/* The value of a field that has keys; it stays in its place as long as the slot is asked about the same event.  NULL if
 * there is none. */
const char **tfd_extract_key(tfd_entries entries, const tfd_field *field, const char *key, tfd_slot *slot);

/* Does what Falco asks of one field, apart from paths. */
void tfd_extract_field(tfd_entries entries, const tfd_field *field, tfd_slot *slot, falco_field *wanted);

/* The raw record as JSON, NULL if there is none. */
const char *tfd_raw_record(tfd_entries entries, size_t *size);

/* Writes all values as one JSON object. */
void tfd_to_json(tfd_entries entries, const tfd_field *fields, size_t field_count, tfd_text *text);

#endif
