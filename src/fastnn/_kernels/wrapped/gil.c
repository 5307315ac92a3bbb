/* Whether a parallel region has to let go of Python's lock first: never.
 *
 * Cython asks PyGILState_Check() at each region outside of Python's lock, and lets go of the lock
 * where the answer is yes. Before Python 3.12 it is yes forever once a subinterpreter has existed
 * in the process: letting go of a lock that the thread does not hold ends it. Our kernels run
 * without the lock; where a region is entered with it, nothing in there asks for it.
 * The linker lets our modules call this instead (--wrap, see setup.py).
 */
int __wrap_PyGILState_Check(void);

int __wrap_PyGILState_Check(void)
{
    return 0;
}
