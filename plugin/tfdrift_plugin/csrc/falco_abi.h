/* The part of Falco's plugin API 3.6 that TFDrift uses: https://falco.org/docs/reference/plugins/plugin-api-reference/
 * Structs of later 3.x versions only grow at the end; nothing beyond 3.6 is declared here, so nothing can be read. */
#ifndef TFD_FALCO_ABI_H
#define TFD_FALCO_ABI_H

#include <stddef.h>
#include <stdint.h>

typedef int32_t falco_rc;
enum {
    FALCO_TIMEOUT = -1,
    FALCO_SUCCESS = 0,
    FALCO_FAILURE = 1,
    FALCO_EOF = 2,
    FALCO_NOT_SUPPORTED = 3,
};

enum { FALCO_SCHEMA_NONE = 0, FALCO_SCHEMA_JSON = 1 };

enum {
    FALCO_UINT64 = 8,
    FALCO_STRING = 9,
    FALCO_RELTIME = 20,
    FALCO_ABSTIME = 21,
    FALCO_BOOL = 25,
};

enum { FALCO_MONOTONIC = 0, FALCO_NON_MONOTONIC = 1 };
enum { FALCO_VALUE_U64 = 2 };

typedef struct tfd_plugin falco_plugin;     /* ss_plugin_t */
typedef struct tfd_instance falco_instance; /* ss_instance_t */

typedef struct {
    const char *config;
    void *owner;
    const char *(*get_owner_last_error)(void *owner);
    const void *tables;
    void (*log)(void *owner, const char *component, const char *message, int32_t severity);
} falco_init_input;

enum { FALCO_PLUGIN_EVENT = 322 };

/* An event is this head, then the lengths (u32) of its two parameters, then these: the plugin's id (u32), the payload. */
typedef struct __attribute__((packed)) {
    uint64_t time;
    uint64_t thread;
    uint32_t size;
    uint16_t type;
    uint32_t parameters;
} falco_event;

typedef struct {
    const falco_event *event;
    uint64_t number;
    const char *source;
} falco_event_input;

typedef struct {
    union {
        const char **strings;
        uint64_t *numbers;
        uint32_t *flags;
    } result;
    uint64_t result_count;
    uint32_t id;
    const char *name;
    const char *argument;
    uint64_t index;
    uint32_t has_argument;
    uint32_t type;
    uint32_t is_list;
} falco_field;

/* The table readers that follow are of no use to this plugin. */
typedef struct {
    void *owner;
    const char *(*get_owner_last_error)(void *owner);
    uint32_t field_count;
    falco_field *fields;
} falco_extract_input;

typedef struct {
    const char *name;
    int32_t type;
    union {
        uint64_t u64;
        double number;
    } value;
    int32_t value_type;
} falco_metric;

_Static_assert(sizeof(falco_init_input) == 40, "init input");
_Static_assert(sizeof(falco_event) == 26, "event head");
_Static_assert(sizeof(falco_event_input) == 24, "event input");
_Static_assert(sizeof(falco_field) == 64, "extract field");
_Static_assert(offsetof(falco_field, has_argument) == 48, "extract field");
_Static_assert(offsetof(falco_extract_input, fields) == 24, "extract input");
_Static_assert(sizeof(falco_metric) == 32 && offsetof(falco_metric, value_type) == 24, "metric");

#endif
