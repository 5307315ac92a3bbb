/* Preloaded into a process: counts its parallel regions. Linked with libgomp, to find the real one. */
#define _GNU_SOURCE
#include <dlfcn.h>

typedef void parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);

static long regions;

long count_regions(void) { return regions; }

void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags)
{
    regions++;
    ((parallel *) dlsym(RTLD_NEXT, "GOMP_parallel"))(body, data, threads, flags);
}
