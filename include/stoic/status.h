/*
 * Status codes, error details and the log callback.
 *
 * Every function of the library that can fail returns a stoic_status and takes
 * a last argument `stoic_error *err`, which may be NULL. On failure `err` says
 * what went wrong and where; on success it is left alone. The library never
 * prints, never exits and never aborts on input.
 *
 * Thread-safety: a stoic_error belongs to its caller. stoic_log_set() is called
 * once, before threads are started; the callback itself may be called from any
 * thread and must be reentrant.
 */
#ifndef STOIC_STATUS_H
#define STOIC_STATUS_H

#if defined(__GNUC__)
#define STOIC_API               __attribute__((visibility("default")))
#define STOIC_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define STOIC_MUST_CHECK        __attribute__((warn_unused_result))
#else
#define STOIC_API
#define STOIC_PRINTF(fmt, args)
#define STOIC_MUST_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* X(enumerator, name, the kind of input that triggers it) */
#define STOIC_STATUS_LIST(X)                                                                       \
    X(STOIC_OK, "ok", "nothing went wrong")                                                        \
    X(STOIC_ERR_MEMORY, "out of memory", "an allocation failed or would exceed a limit")           \
    X(STOIC_ERR_IO, "input/output", "a file is missing, unreadable, or the disk is full")          \
    X(STOIC_ERR_FORMAT, "bad format", "a file is truncated, corrupt or not what it says")          \
    X(STOIC_ERR_UNSUPPORTED, "unsupported", "a valid model or option Stoic cannot run")            \
    X(STOIC_ERR_SHAPE, "bad shape", "shapes that do not fit each other")                           \
    X(STOIC_ERR_ARGUMENT, "bad argument", "an option or spec string that makes no sense")          \
    X(STOIC_ERR_MISMATCH, "mismatch", "two things that should belong together do not")             \
    X(STOIC_ERR_INTERRUPTED, "interrupted", "the caller asked to stop; work so far kept")          \
    X(STOIC_ERR_NUMERIC, "not finite", "a training whose loss became infinite or NaN")             \
    X(STOIC_ERR_BACKEND, "backend", "oneDNN or SQLite refused a call")                             \
    X(STOIC_ERR_INTERNAL, "internal", "a bug in Stoic")                                            \
    X(STOIC_ERR_CORRUPT, "memory changed", "a bit flipped in the memory of Stoic itself")

#define STOIC_STATUS_ENUM(enumerator, name, trigger) enumerator,
typedef enum stoic_status { STOIC_STATUS_LIST(STOIC_STATUS_ENUM) } stoic_status;
#undef STOIC_STATUS_ENUM

/* What went wrong. `place` is a file with offset, a node name or an option; may be empty. */
typedef struct stoic_error {
    stoic_status code;
    char place[256];
    char message[1536]; /* lower case, one line, names the culprit */
} stoic_error;

/* The short name of a status, "unknown" for a value outside the enum. Never NULL. */
STOIC_API const char *stoic_status_name(stoic_status status);

typedef enum stoic_log_level { STOIC_LOG_DEBUG, STOIC_LOG_INFO, STOIC_LOG_WARNING } stoic_log_level;

/* `message` is one line without a newline and is valid during the call only. */
typedef void (*stoic_log_fn)(void *user, stoic_log_level level, const char *message);

/* Sends the library's warnings and notes to `fn`; NULL (the default) drops them. */
STOIC_API void stoic_log_set(stoic_log_fn fn, void *user);

#ifdef __cplusplus
}
#endif
#endif
