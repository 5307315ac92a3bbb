/* Preloaded into a process: counts what it takes from the heap and from the system while told to.
 *
 * Python's own small objects come from pools that it took earlier, so that a steady loop of Python
 * code can do with no call at all. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <sys/types.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static int counting;
static long calls, bytes, largest;

static void note(size_t size)
{
    if (!__atomic_load_n(&counting, __ATOMIC_RELAXED))
        return;
    __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&bytes, (long) size, __ATOMIC_RELAXED);
    if ((long) size > largest)
        largest = (long) size;
}

void count_start(void) { calls = bytes = largest = 0; counting = 1; }
void count_stop(void) { counting = 0; }
long count_calls(void) { return calls; }
long count_bytes(void) { return bytes; }
long count_largest(void) { return largest; }

void *malloc(size_t size) { note(size); return __libc_malloc(size); }
void *calloc(size_t n, size_t size) { note(n * size); return __libc_calloc(n, size); }
void *realloc(void *p, size_t size) { note(size); return __libc_realloc(p, size); }
void *aligned_alloc(size_t at, size_t size) { note(size); return __libc_memalign(at, size); }
void *memalign(size_t at, size_t size) { note(size); return __libc_memalign(at, size); }

int posix_memalign(void **p, size_t at, size_t size)
{
    note(size);
    *p = __libc_memalign(at, size);
    return *p ? 0 : 12;
}

void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    static void *(*real)(void *, size_t, int, int, int, off_t);
    if (!real)
        real = (void *(*)(void *, size_t, int, int, int, off_t)) dlsym(RTLD_NEXT, "mmap");
    note(size);
    return real(at, size, protection, flags, file, offset);
}
