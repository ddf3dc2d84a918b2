/* Small things that every verb needs. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "verb.h"

stoic_status cli_call_expect(const cli_call *call, size_t low, size_t high, const char *what,
                             stoic_error *err) {
    if (call->arguments.count < low)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "", "expected %s", what);
    if (call->arguments.count > high)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "", "unexpected argument '%s'%s%s",
                        call->arguments.items[high], high ? "; expected only " : "",
                        high ? what : "");
    return STOIC_OK;
}

static stoic_status keep(const char *input, const char *output, stoic_error *err) {
    struct stat in, out;
    if (!output || stat(output, &out) != 0 || !S_ISREG(out.st_mode) || stat(input, &in) != 0 ||
        in.st_dev != out.st_dev || in.st_ino != out.st_ino)
        return STOIC_OK;
    return cli_fail(err, STOIC_ERR_ARGUMENT, output,
                    "the file is read here and would be overwritten");
}

stoic_status cli_call_keeps(const cli_call *call, const char *output, stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (size_t i = 0; i < call->arguments.count && status == STOIC_OK; i++)
        status = keep(call->arguments.items[i], output, err);
    return status;
}

stoic_status cli_spec_keeps(const char *spec, const char *output, stoic_error *err) {
    stoic_status status = STOIC_OK;
    char *copy = spec ? strdup(spec) : NULL;
    if (!copy)
        return spec ? cli_fail_memory(err) : STOIC_OK;
    for (char *piece = copy, *next; piece; piece = next) {
        next = strchr(piece, ',');
        if (next)
            *next++ = '\0';
        for (char *at = piece; at && status == STOIC_OK; at = strpbrk(at, ":="))
            status = keep(at == piece ? at : ++at, output, err);
    }
    free(copy);
    return status;
}

stoic_status cli_require(const char *value, const char *option, stoic_error *err) {
    return value ? STOIC_OK : cli_fail(err, STOIC_ERR_ARGUMENT, "", "missing option %s", option);
}

double cli_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void cli_quote(FILE *file, const char *word, bool first) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_@%+=:,./-";
    if (!first)
        fputc(' ', file);
    if (*word && word[strspn(word, plain)] == '\0') {
        fputs(word, file);
        return;
    }
    fputc('\'', file);
    for (; *word; word++) {
        if (*word == '\'')
            fputs("'\\''", file);
        else
            fputc(*word, file);
    }
    fputc('\'', file);
}
