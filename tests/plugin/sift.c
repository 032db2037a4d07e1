/* Reads files from stdin (each with its length, u32, before it), sifts each, and writes what was found in the same form;
 * nothing for a file that is left to Python.  Each file lies in a block of just its size, so that a sanitizer sees a read
 * behind its end. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "bridge.h"

int main(void) {
    uint32_t size;
    tfdrift_sifter *sifter = tfdrift_sifter_new();
    while (sifter != NULL && fread(&size, sizeof size, 1, stdin) == 1) {
        char *packed = malloc(size);
        if (packed == NULL || fread(packed, 1, size, stdin) != size)
            return 2;
        const char *found = "";
        uint32_t found_size = (uint32_t)tfdrift_sift(sifter, packed, size, &found);
        fwrite(&found_size, sizeof found_size, 1, stdout);
        fwrite(found, 1, found_size, stdout);
        free(packed);
    }
    tfdrift_sifter_free(sifter);
    return 0;
}
