/* What C and the Python bridge of a library that brings events offer each other; see bridge.h. */
#ifndef TFD_SOURCE_BRIDGE_H
#define TFD_SOURCE_BRIDGE_H

#include <stddef.h>
#include <stdint.h>

#include "falco_abi.h"
#include "sift.h"

/* In Python. */
extern int tfdrift_py_open(falco_plugin *plugin, falco_instance *instance, const char *params);
extern int tfdrift_py_close(falco_plugin *plugin, falco_instance *instance);
extern int tfdrift_py_select(falco_plugin *plugin, const char *field, const char *path, const char *record, size_t size);

/* In C. */
void tfdrift_set_selected(falco_plugin *plugin, const char *text);

/* Copies an event into the queue and waits while that is full.  0 once the instance is being closed. */
int tfdrift_push(falco_instance *instance, uint64_t time, const char *payload, size_t size);
/* No more events will come: next_batch gives EOF once the queue is empty. */
void tfdrift_finish(falco_instance *instance);
/* How many events Falco is done with. */
uint64_t tfdrift_handed_over(falco_instance *instance);
/* Keeps that count in `count`, too, until the next call; NULL ends it. */
void tfdrift_set_progress(falco_instance *instance, uint64_t *count);

/* A thread that sifts up to TFD_AHEAD files ahead, in their order; NULL where none can be had. */
typedef struct tfd_ahead tfdrift_ahead;
tfdrift_ahead *tfdrift_ahead_new(void);
/* Waits until the thread is done with the file that it has. */
void tfdrift_ahead_free(tfdrift_ahead *ahead);
/* Gives it a file, which must stay in place until it is taken, or the thread has ended.  0 where that is one too many. */
int tfdrift_ahead_put(tfdrift_ahead *ahead, const char *packed, size_t size);
/* What was found in the oldest file, as tfdrift_sift gives it, until the next is put; waits for it. */
size_t tfdrift_ahead_take(tfdrift_ahead *ahead, const char **found);

#endif
