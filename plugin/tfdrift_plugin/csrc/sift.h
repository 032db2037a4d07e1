/* Finding the records of a document that may have changed something; see bridge.h. */
#ifndef TFD_SIFT_H
#define TFD_SIFT_H

#include <stddef.h>

/* The memory of one thread for sifting files; NULL where there is none. */
typedef struct tfd_sifter tfdrift_sifter;
tfdrift_sifter *tfdrift_sifter_new(void);
void tfdrift_sifter_free(tfdrift_sifter *sifter);
/* The records of a file that may have changed something, until the sifter's next use: their texts, a row for each, and
 * behind that the numbers of records and rows; gives the size of it all.  0 for what is not one gzip member that holds
 * {"Records": [...]} and nothing else, is damaged, or has more than Python would take. */
size_t tfdrift_sift(tfdrift_sifter *sifter, const char *packed, size_t size, const char **found);

enum { TFD_READ = 0, TFD_CHANGE = 1, TFD_UNCLEAR = 2 };

/* Whether one record, as plain JSON, only reads; unclear where it is not what CloudTrail writes. */
int tfdrift_sift_record(tfdrift_sifter *sifter, const char *record, size_t size);

#endif
