/* First caches, one for each thread: 64 sets of some ways, the line used longest ago goes first.
 *
 * What is compiled with -fsanitize=thread calls the functions below for all that it reads and
 * writes: they stand in for the sanitizer's.
 */
#include <stdint.h>
#include <string.h>

enum { LINE = 64, SETS = 64, MOST_WAYS = 12 };
enum { VALUE, WATCHED, KINDS };

static int ways, run;
static uintptr_t watched, watched_end;
static long misses[KINDS];
static _Thread_local int own_run; /* each run begins with empty caches */
static _Thread_local uintptr_t lines[SETS][MOST_WAYS]; /* the last used first */

void cache_start(int cache_ways, const void *array, uintptr_t bytes) {
    run++;
    ways = cache_ways;
    watched = (uintptr_t)array;
    watched_end = watched + bytes;
    memset(misses, 0, sizeof misses);
}

/* Misses of values that are read one by one, as tiles read their rows. */
long cache_value_misses(void) { return misses[VALUE]; }
/* Misses in the array named at the start. */
long cache_watched_misses(void) { return misses[WATCHED]; }

static void use_line(uintptr_t line, int is_value) {
    uintptr_t *set = lines[line % SETS], at = line * LINE;
    int way = 0;
    while (way < ways - 1 && set[way] != line) way++;
    if (set[way] != line) {
        if (is_value) __atomic_add_fetch(&misses[VALUE], 1, __ATOMIC_RELAXED);
        if (at >= watched && at < watched_end)
            __atomic_add_fetch(&misses[WATCHED], 1, __ATOMIC_RELAXED);
    }
    for (; way > 0; way--) set[way] = set[way - 1];
    set[0] = line;
}

static void use(const void *from, uintptr_t bytes, int is_value) {
    uintptr_t line = (uintptr_t)from / LINE, last = ((uintptr_t)from + bytes - 1) / LINE;
    if (own_run != run) memset(lines, 0, sizeof lines);
    own_run = run;
    for (; line <= last; line++) use_line(line, is_value);
}

void __tsan_read4(const void *at) { use(at, 4, 1); }
void __tsan_read8(const void *at) { use(at, 8, 0); }
void __tsan_read16(const void *at) { use(at, 16, 0); }
void __tsan_unaligned_read16(const void *at) { use(at, 16, 0); }
void __tsan_read_range(const void *at, uintptr_t bytes) { use(at, bytes, 0); }
void __tsan_write4(const void *at) { use(at, 4, 0); }
void __tsan_write8(const void *at) { use(at, 8, 0); }
void __tsan_write16(const void *at) { use(at, 16, 0); }
void __tsan_unaligned_write16(const void *at) { use(at, 16, 0); }
void __tsan_write_range(const void *at, uintptr_t bytes) { use(at, bytes, 0); }
void __tsan_func_entry(const void *caller) { (void)caller; }
void __tsan_func_exit(void) {}
void __tsan_init(void) {}

void *cache_copy(void *to, const void *from, uintptr_t bytes) {
    use(from, bytes, 0);
    use(to, bytes, 0);
    return memcpy(to, from, bytes);
}
