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

#endif
