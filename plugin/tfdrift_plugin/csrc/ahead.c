/* Sifts files in a thread of its own, in their order, while Python compares what earlier ones had.  The thread never
 * takes Python's lock: handing that to and fro for each file costs more than sifting it. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "generated.h"
#include "source_bridge.h"

typedef struct {
    const char *packed;
    size_t size;
    char *found; /* NULL for a file that is left to Python */
    size_t found_size;
} tfd_job;

struct tfd_ahead {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    tfdrift_sifter *sifter;
    tfd_job jobs[TFD_AHEAD];
    size_t put, done, taken; /* how many jobs */
    bool closing;
};

static void work_on(tfdrift_ahead *ahead, tfd_job *job) {
    const char *found;
    size_t size = tfdrift_sift(ahead->sifter, job->packed, job->size, &found);
    job->found = size > 0 ? malloc(size) : NULL;
    job->found_size = job->found != NULL ? size : 0;
    if (job->found != NULL)
        memcpy(job->found, found, size);
}

static void *work(void *argument) {
    tfdrift_ahead *ahead = argument;
    pthread_mutex_lock(&ahead->lock);
    while (!ahead->closing) {
        if (ahead->done == ahead->put) {
            pthread_cond_wait(&ahead->changed, &ahead->lock);
            continue;
        }
        tfd_job *job = &ahead->jobs[ahead->done % TFD_AHEAD];
        pthread_mutex_unlock(&ahead->lock);
        work_on(ahead, job);
        pthread_mutex_lock(&ahead->lock);
        ahead->done++;
        pthread_cond_broadcast(&ahead->changed);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

/* Signals are Falco's business. */
static bool start(tfdrift_ahead *ahead) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&ahead->thread, NULL, work, ahead) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void let_go(tfdrift_ahead *ahead) {
    for (size_t i = 0; i < TFD_AHEAD; i++)
        free(ahead->jobs[i].found);
    tfdrift_sifter_free(ahead->sifter);
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead);
}

tfdrift_ahead *tfdrift_ahead_new(void) {
    tfdrift_ahead *ahead = calloc(1, sizeof *ahead);
    if (ahead == NULL)
        return NULL;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    ahead->sifter = tfdrift_sifter_new();
    if (ahead->sifter != NULL && start(ahead))
        return ahead;
    let_go(ahead);
    return NULL;
}

void tfdrift_ahead_free(tfdrift_ahead *ahead) {
    if (ahead == NULL)
        return;
    pthread_mutex_lock(&ahead->lock);
    ahead->closing = true;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
    pthread_join(ahead->thread, NULL);
    let_go(ahead);
}

int tfdrift_ahead_put(tfdrift_ahead *ahead, const char *packed, size_t size) {
    pthread_mutex_lock(&ahead->lock);
    bool room = ahead->put - ahead->taken < TFD_AHEAD;
    if (room) {
        tfd_job *job = &ahead->jobs[ahead->put++ % TFD_AHEAD];
        free(job->found);
        *job = (tfd_job){packed, size, NULL, 0};
        pthread_cond_broadcast(&ahead->changed);
    }
    pthread_mutex_unlock(&ahead->lock);
    return room;
}

size_t tfdrift_ahead_take(tfdrift_ahead *ahead, const char **found) {
    size_t size = 0;
    pthread_mutex_lock(&ahead->lock);
    if (ahead->taken < ahead->put) {
        while (ahead->done == ahead->taken)
            pthread_cond_wait(&ahead->changed, &ahead->lock);
        const tfd_job *job = &ahead->jobs[ahead->taken++ % TFD_AHEAD];
        size = job->found_size;
        if (size > 0)
            *found = job->found;
    }
    pthread_mutex_unlock(&ahead->lock);
    return size;
}
