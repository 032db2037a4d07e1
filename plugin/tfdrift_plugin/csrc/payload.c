#include "payload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generated.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "payloads are little-endian"
#endif

enum { ENTRY_HEAD = 8, EVENT_HEAD = 26 + 4 + 4 + 4, NUMBER_SIZE = 8 };

static uint16_t read16(const uint8_t *at) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint32_t read32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t read64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

bool tfd_event_bytes(const falco_event *event, const char **payload, size_t *size) {
    const uint8_t *bytes = (const uint8_t *)event;
    if (event == NULL || event->type != FALCO_PLUGIN_EVENT || event->parameters != 2 || event->size < EVENT_HEAD)
        return false;
    uint32_t id_size = read32(bytes + sizeof *event);
    uint32_t payload_size = read32(bytes + sizeof *event + 4);
    if (id_size != 4 || payload_size > event->size - EVENT_HEAD)
        return false;
    *payload = (const char *)bytes + EVENT_HEAD;
    *size = payload_size;
    return true;
}

bool tfd_event_entries(const falco_event *event, tfd_entries *entries) {
    const char *payload;
    size_t size;
    return tfd_event_bytes(event, &payload, &size) && tfd_payload_entries(payload, size, entries);
}

bool tfd_payload_entries(const void *payload, size_t size, tfd_entries *entries) {
    static const uint8_t magic[] = {'T', 'F', 'D', TFD_PAYLOAD_VERSION};
    if (payload == NULL || size < sizeof magic || memcmp(payload, magic, sizeof magic) != 0)
        return false;
    *entries = (tfd_entries){(const uint8_t *)payload + sizeof magic, size - sizeof magic};
    return true;
}

bool tfd_next_entry(tfd_entries *entries, tfd_entry *entry) {
    if (entries->size < ENTRY_HEAD)
        return false;
    uint32_t size = read32(entries->data + 4);
    if (size > entries->size - ENTRY_HEAD)
        return false;
    *entry = (tfd_entry){read16(entries->data), entries->data + ENTRY_HEAD, size};
    entries->data += ENTRY_HEAD + (size_t)size;
    entries->size -= ENTRY_HEAD + (size_t)size;
    return true;
}

/* Unicode 15, table 3-7: well-formed UTF-8 byte sequences. */
static bool is_utf8(const uint8_t *at, size_t size) {
    const uint8_t *end = at + size;
    while (at < end) {
        uint8_t lead = *at++;
        if (lead < 0x80)
            continue;
        size_t more;
        uint8_t low = 0x80, high = 0xBF;
        if (lead >= 0xC2 && lead <= 0xDF) {
            more = 1;
        } else if (lead >= 0xE0 && lead <= 0xEF) {
            more = 2;
            if (lead == 0xE0)
                low = 0xA0;
            if (lead == 0xED)
                high = 0x9F;
        } else if (lead >= 0xF0 && lead <= 0xF4) {
            more = 3;
            if (lead == 0xF0)
                low = 0x90;
            if (lead == 0xF4)
                high = 0x8F;
        } else {
            return false;
        }
        if ((size_t)(end - at) < more)
            return false;
        for (; more > 0; more--, at++) {
            if (*at < low || *at > high)
                return false;
            low = 0x80;
            high = 0xBF;
        }
    }
    return true;
}

const char *tfd_entry_text(const tfd_entry *entry) {
    if (entry->size == 0 || entry->data[entry->size - 1] != 0)
        return NULL;
    size_t length = entry->size - 1;
    if (memchr(entry->data, 0, length) != NULL || !is_utf8(entry->data, length))
        return NULL;
    return (const char *)entry->data;
}

static bool reserve(tfd_slot *slot, size_t count) {
    if (count <= slot->capacity)
        return true;
    size_t capacity = slot->capacity == 0 ? 1 : slot->capacity * 2;
    void *memory = realloc(slot->values.memory, capacity * sizeof(uint64_t));
    if (memory == NULL)
        return false;
    slot->values.memory = memory;
    slot->capacity = capacity;
    return true;
}

static bool add_value(const tfd_entry *entry, uint8_t type, tfd_slot *slot, size_t at) {
    if (type == FALCO_STRING) {
        const char *text = tfd_entry_text(entry);
        if (text == NULL || !reserve(slot, at + 1))
            return false;
        slot->values.strings[at] = text;
        return true;
    }
    if (entry->size != NUMBER_SIZE || !reserve(slot, at + 1))
        return false;
    uint64_t number = read64(entry->data);
    if (type == FALCO_BOOL)
        slot->values.flags[at] = number != 0;
    else
        slot->values.numbers[at] = number;
    return true;
}

size_t tfd_extract(tfd_entries entries, const tfd_field *field, tfd_slot *slot) {
    size_t count = 0;
    tfd_entry entry;
    while (tfd_next_entry(&entries, &entry) && entry.number <= field->number) {
        if (entry.number != field->number || !add_value(&entry, field->type, slot, count))
            continue;
        count++;
        if (!field->is_list)
            break;
    }
    return count;
}

/* Where the value of a `key=value` text starts, NULL if it is none; in the key \\ stands before = and \\. */
static const char *value_of(const char *text, const char *key, bool *same) {
    *same = true;
    for (; *text != 0 && *text != '='; text++) {
        if (*text == '\\' && text[1] != 0)
            text++;
        *same = *same && *key == *text;
        if (*same)
            key++;
    }
    *same = *same && *key == 0;
    return *text == '=' ? text + 1 : NULL;
}

const char **tfd_extract_key(tfd_entries entries, const tfd_field *field, const char *key, tfd_slot *slot) {
    size_t count = 0, found = SIZE_MAX;
    tfd_entry entry;
    while (tfd_next_entry(&entries, &entry) && entry.number <= field->number) {
        const char *text = entry.number == field->number ? tfd_entry_text(&entry) : NULL;
        bool same = false;
        const char *value = text != NULL ? value_of(text, key, &same) : NULL;
        if (value == NULL || !reserve(slot, count + 1))
            continue;
        if (same && found == SIZE_MAX)
            found = count;
        /* All of them: Falco may still hold the place of another key's value. */
        slot->values.strings[count++] = value;
    }
    return found != SIZE_MAX ? &slot->values.strings[found] : NULL;
}

void tfd_extract_field(tfd_entries entries, const tfd_field *field, tfd_slot *slot, falco_field *wanted) {
    if (field->has_key) {
        const char **value = NULL;
        if (wanted->has_argument && wanted->argument != NULL)
            value = tfd_extract_key(entries, field, wanted->argument, slot);
        wanted->result_count = value != NULL;
        wanted->result.strings = value;
        return;
    }
    wanted->result_count = tfd_extract(entries, field, slot);
    wanted->result.strings = slot->values.strings;
    if (field->has_index && wanted->has_argument) {
        /* Such fields hold texts. */
        bool within = wanted->index < wanted->result_count;
        wanted->result.strings = within ? slot->values.strings + wanted->index : NULL;
        wanted->result_count = within;
    }
}

const char *tfd_raw_record(tfd_entries entries, size_t *size) {
    tfd_entry entry;
    while (tfd_next_entry(&entries, &entry)) {
        if (entry.number != TFD_RAW_NUMBER)
            continue;
        const char *text = tfd_entry_text(&entry);
        if (text != NULL)
            *size = entry.size - 1;
        return text;
    }
    return NULL;
}

static void put(tfd_text *text, const char *data, size_t size) {
    if (text->failed)
        return;
    if (size >= text->capacity - text->size) {
        size_t capacity = (text->size + size + 1) * 2;
        char *grown = realloc(text->data, capacity);
        if (grown == NULL) {
            text->failed = true;
            return;
        }
        text->data = grown;
        text->capacity = capacity;
    }
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = 0;
}

static void put_text(tfd_text *text, const char *string) {
    put(text, string, strlen(string));
}

static void put_string(tfd_text *text, const char *string) {
    put(text, "\"", 1);
    for (const char *at = string; *at != 0;) {
        size_t plain = 0;
        while ((uint8_t)at[plain] >= 0x20 && at[plain] != '"' && at[plain] != '\\')
            plain++;
        put(text, at, plain);
        at += plain;
        if (*at == 0)
            break;
        char escaped[8];
        int size = *at == '"' || *at == '\\' ? snprintf(escaped, sizeof escaped, "\\%c", *at)
                                             : snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)(uint8_t)*at);
        put(text, escaped, (size_t)size);
        at++;
    }
    put(text, "\"", 1);
}

static bool can_put(const tfd_entry *entry, const tfd_field *field) {
    return field->type == FALCO_STRING ? tfd_entry_text(entry) != NULL : entry->size == NUMBER_SIZE;
}

static void put_value(tfd_text *text, const tfd_entry *entry, const tfd_field *field) {
    if (field->type == FALCO_STRING) {
        put_string(text, (const char *)entry->data);
        return;
    }
    uint64_t number = read64(entry->data);
    char digits[24];
    if (field->type == FALCO_BOOL)
        snprintf(digits, sizeof digits, "%s", number != 0 ? "true" : "false");
    else
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    put_text(text, digits);
}

void tfd_to_json(tfd_entries entries, const tfd_field *fields, size_t field_count, tfd_text *text) {
    const char *separator = "{";
    const tfd_field *list = NULL; /* the list that is still open */
    uint32_t last = 0;
    tfd_entry entry;
    text->size = 0;
    while (tfd_next_entry(&entries, &entry)) {
        const tfd_field *field = NULL;
        for (size_t i = 0; i < field_count && field == NULL; i++)
            if (fields[i].number == entry.number)
                field = &fields[i];
        if (field == NULL || !can_put(&entry, field))
            continue;
        if (field == list) {
            put(text, ",", 1);
            put_value(text, &entry, field);
            continue;
        }
        /* Numbers ascend; a payload where they do not would give an object with a key twice. */
        if (entry.number <= last)
            continue;
        last = entry.number;
        if (list != NULL)
            put(text, "]", 1);
        put_text(text, separator);
        separator = ",";
        put_string(text, field->name);
        bool is_list = field->is_list || field->has_key;
        put_text(text, is_list ? ":[" : ":");
        put_value(text, &entry, field);
        list = is_list ? field : NULL;
    }
    if (list != NULL)
        put(text, "]", 1);
    put_text(text, *separator == '{' ? "{}" : "}");
}
