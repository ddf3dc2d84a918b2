/* Small things that every verb needs. */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

/* By the head of an SQLite file and its application id (docs/formats.md). */
static bool is_campaign(const char *path) {
    char head[72];
    FILE *file = fopen(path, "rb");
    bool is = file && fread(head, 1, sizeof head, file) == sizeof head &&
              !memcmp(head, "SQLite format 3", 16) && !memcmp(head + 68, "STOC", 4);
    if (file)
        fclose(file);
    return is;
}

stoic_status cli_output_check(const char *output, stoic_error *err) {
    struct stat there;
    stoic_status status = STOIC_OK;
    char *real = output ? realpath(output, NULL) : NULL; /* links are written through */
    char *path = real ? real : output ? strdup(output) : NULL;
    if (!path)
        return output ? cli_fail_memory(err) : STOIC_OK;
    bool exists = stat(path, &there) == 0, regular = !exists || S_ISREG(there.st_mode);
    if (exists && regular && is_campaign(path))
        status = cli_fail(err, STOIC_ERR_ARGUMENT, output,
                          "a campaign is there and would be lost; delete it, or name another file");
    else if (regular && access(dirname(path), W_OK | X_OK) != 0)
        status = cli_fail_errno(err, output, "cannot create");
    else if (exists && S_ISDIR(there.st_mode)) {
        errno = EISDIR;
        status = cli_fail_errno(err, output, "cannot open");
    }
    free(path);
    return status;
}

static stoic_status keep(const char *input, const char *output, stoic_error *err) {
    struct stat in, out;
    if (!output || stat(output, &out) != 0 || !S_ISREG(out.st_mode) || stat(input, &in) != 0 ||
        in.st_dev != out.st_dev || in.st_ino != out.st_ino)
        return STOIC_OK;
    return cli_fail(err, STOIC_ERR_ARGUMENT, output,
                    "the file is read here and would be overwritten");
}

bool cli_call_reads(const cli_call *call, const char *output) {
    bool reads = false;
    for (size_t i = 0; i < call->arguments.count; i++)
        reads = reads || keep(call->arguments.items[i], output, NULL) != STOIC_OK;
    return reads;
}

stoic_status cli_call_keeps(const cli_call *call, const char *output, stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (size_t i = 0; i < call->arguments.count && status == STOIC_OK; i++)
        status = keep(call->arguments.items[i], output, err);
    return status == STOIC_OK ? cli_output_check(output, err) : status;
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
