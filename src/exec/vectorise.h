/* For the files that are compiled once per instruction set (STOIC_KERNEL_SET). */
#ifndef STOIC_EXEC_VECTORISE_H
#define STOIC_EXEC_VECTORISE_H

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#define TEXT_(a)    #a
#define TEXT(a)     TEXT_(a)

/* the iterations do not depend on each other: vectorise without looking */
#ifdef __clang__
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

/* For i below n, the last argument sixteen at a time with no loop for the rest: the last sixteen
 * overlap those before them. For bodies that give the same result when they are done again. */
#define PIECES(n, i, ...)                                                                          \
    do {                                                                                           \
        if ((n) < 16) {                                                                            \
            for (int64_t i = 0; i < (n); i++)                                                      \
                __VA_ARGS__                                                                        \
        }                                                                                          \
        for (int64_t from_ = 0; (n) >= 16 && from_ < (n); from_ += 16) {                           \
            int64_t at_ = from_ + 16 > (n) ? (n)-16 : from_;                                       \
            INDEPENDENT for (int64_t i = at_; i < at_ + 16; i++) __VA_ARGS__                       \
        }                                                                                          \
    } while (0)

#endif
