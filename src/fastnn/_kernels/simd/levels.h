/* One level for each instruction set, least first: its name, and the floats in a vector.
 *
 * A file `simd/NAME.c` beside a module NAME.pyx is compiled once for each level, with LEVEL set to
 * its name (and LEVEL_AVX2 or the like to 1), and linked into that module (setup.py). It fills one
 * table of functions, `const TYPE TABLE(name)`; its header declares those of all levels by
 * DECLARE_TABLES(TYPE, name), and the module takes `name_at(number of the level)`.
 */
#ifndef FASTNN_LEVELS_H
#define FASTNN_LEVELS_H

#if defined(__x86_64__)
#define EACH_LEVEL(DO, ...) DO(baseline, 4, __VA_ARGS__) DO(avx2, 8, __VA_ARGS__) \
    DO(avx512, 16, __VA_ARGS__)
#else
#define EACH_LEVEL(DO, ...) DO(neon, 4, __VA_ARGS__)
#endif

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define TABLE(name) JOIN(name, LEVEL)

#define DECLARE_TABLE_(level, lanes, type, name) extern const type name##_##level;
#define TABLE_ADDRESS_(level, lanes, type, name) &name##_##level,
#define DECLARE_TABLES(type, name)                                                                \
    EACH_LEVEL(DECLARE_TABLE_, type, name)                                                        \
    static inline const type *name##_at(int level) {                                              \
        static const type *const tables[] = {EACH_LEVEL(TABLE_ADDRESS_, type, name)};             \
        return tables[level];                                                                     \
    }

#endif
