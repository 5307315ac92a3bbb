/* A parallel region of one thread is a plain call.
 *
 * GCC turns every parallel region into a call of GOMP_parallel, with one thread when its `if`
 * clause says no. libgomp then allocates a team of one and throws away the larger team that it
 * kept, so that a step that mixes small and large kernels would go to the heap for each of them.
 * The linker lets our modules call this instead (--wrap, see setup.py). The region's body asks
 * for its thread's number and the team's size, and outside of a team they are 0 and 1.
 */
void __real_GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
void __wrap_GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);

void __wrap_GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags)
{
    if (threads == 1)
        body(data);
    else
        __real_GOMP_parallel(body, data, threads, flags);
}
