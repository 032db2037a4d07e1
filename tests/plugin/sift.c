/* Reads files from stdin (each with its length, u32, before it), sifts each, and writes what was found in the same form;
 * nothing for a file that is left to Python.  Each file lies in a block of just its size, so that a sanitizer sees a read
 * behind its end.  With an argument they are sifted ahead; the last ones are then let go of without being taken. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "source_bridge.h"
#include "generated.h"

static char *read_file(uint32_t *size) {
    if (fread(size, sizeof *size, 1, stdin) != 1)
        return NULL;
    char *packed = malloc(*size);
    if (packed == NULL || fread(packed, 1, *size, stdin) != *size)
        exit(2);
    return packed;
}

static void write_found(const char *found, size_t size) {
    uint32_t found_size = (uint32_t)size;
    fwrite(&found_size, sizeof found_size, 1, stdout);
    fwrite(found, 1, size, stdout);
}

static void sift(void) {
    tfdrift_sifter *sifter = tfdrift_sifter_new();
    uint32_t size;
    for (char *packed; sifter != NULL && (packed = read_file(&size)) != NULL; free(packed)) {
        const char *found = "";
        size_t found_size = tfdrift_sift(sifter, packed, size, &found);
        write_found(found, found_size);
    }
    tfdrift_sifter_free(sifter);
}

static void sift_ahead(void) {
    tfdrift_ahead *ahead = tfdrift_ahead_new();
    char *waiting[TFD_AHEAD] = {NULL};
    const char *found = "";
    uint32_t size;
    size_t number = 0;
    if (ahead == NULL || tfdrift_ahead_take(ahead, &found) != 0)
        exit(3);
    for (char *packed; (packed = read_file(&size)) != NULL; number++) {
        if (number >= TFD_AHEAD) {
            if (tfdrift_ahead_put(ahead, packed, size))
                exit(4);
            size_t found_size = tfdrift_ahead_take(ahead, &found);
            write_found(found, found_size);
        }
        free(waiting[number % TFD_AHEAD]);
        waiting[number % TFD_AHEAD] = packed;
        if (!tfdrift_ahead_put(ahead, packed, size))
            exit(5);
    }
    tfdrift_ahead_free(ahead);
    for (size_t i = 0; i < TFD_AHEAD; i++)
        free(waiting[i]);
}

int main(int count, char **arguments) {
    (void)arguments;
    if (count > 1)
        sift_ahead();
    else
        sift();
    return 0;
}
