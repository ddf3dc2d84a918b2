#include "output.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "options.h"
#include "verb.h"

static void forget(cli_output *output) {
    free(output->temporary);
    free(output->target);
    output->temporary = output->target = NULL;
}

/* Beside the file, with its permissions or those that the user's umask gives. */
static stoic_status open_temporary(cli_output *output, const struct stat *there, stoic_error *err) {
    static const char suffix[] = ".XXXXXX";
    output->target = realpath(output->path, NULL);
    if (!output->target)
        output->target = strdup(output->path);
    size_t length = output->target ? strlen(output->target) : 0;
    output->temporary = output->target ? malloc(length + sizeof suffix) : NULL;
    if (!output->temporary) {
        forget(output);
        return cli_fail_memory(err);
    }
    memcpy(output->temporary, output->target, length);
    memcpy(output->temporary + length, suffix, sizeof suffix);
    int fd = mkstemp(output->temporary);
    mode_t mask = umask(0);
    umask(mask);
    if (fd >= 0 && fchmod(fd, there ? there->st_mode & 0777 : 0666 & ~mask) == 0)
        output->file = fdopen(fd, "w");
    if (output->file)
        return STOIC_OK;
    cli_fail_errno(err, output->path, "cannot create");
    if (fd >= 0) {
        close(fd);
        unlink(output->temporary);
    }
    forget(output);
    return STOIC_ERR_IO;
}

stoic_status cli_output_open(cli_output *output, const char *path, int format, stoic_error *err) {
    struct stat there;
    memset(output, 0, sizeof *output);
    output->format = (cli_format)format;
    output->path = path;
    if (!path) {
        output->file = stdout;
        return STOIC_OK;
    }
    stoic_status status = cli_output_check(path, err);
    if (status != STOIC_OK)
        return status;
    bool exists = stat(path, &there) == 0;
    if (!exists || S_ISREG(there.st_mode))
        return open_temporary(output, exists ? &there : NULL, err);
    output->file = fopen(path, "w");
    return output->file ? STOIC_OK : cli_fail_errno(err, path, "cannot open");
}

bool cli_output_failed(const cli_output *output) {
    return ferror(output->file) != 0;
}

static bool unread;

bool cli_output_unread(void) {
    return unread;
}

/* Asked of the system: errno may be that of something later. */
static bool nobody_reads(int fd) {
    struct pollfd pipe = {.fd = fd, .events = POLLOUT};
    return poll(&pipe, 1, 0) == 1 && (pipe.revents & (POLLERR | POLLHUP));
}

/* Errors of a buffered write show at the latest here. */
static stoic_status flush(cli_output *output, stoic_error *err) {
    const char *place = output->path ? output->path : "standard output";
    bool failed = ferror(output->file) != 0;
    int code = errno;
    if (fflush(output->file) != 0) {
        failed = true;
        code = errno;
    }
    if (!failed && output->temporary && fsync(fileno(output->file)) != 0) {
        failed = true;
        code = errno;
    }
    if (!failed)
        return STOIC_OK;
    unread = !output->path && nobody_reads(fileno(output->file));
    errno = unread ? EPIPE : code ? code : EIO;
    return cli_fail_errno(err, place, "cannot write");
}

stoic_status cli_output_close(cli_output *output, stoic_status status, stoic_error *err) {
    if (!output->file)
        return status;
    if (status == STOIC_OK)
        status = flush(output, err);
    if (output->path && fclose(output->file) != 0 && status == STOIC_OK)
        status = cli_fail_errno(err, output->path, "cannot write");
    output->file = NULL;
    if (output->temporary) {
        if (status == STOIC_OK && rename(output->temporary, output->target) != 0)
            status = cli_fail_errno(err, output->path, "cannot write");
        if (status != STOIC_OK)
            unlink(output->temporary);
        forget(output);
    }
    return status;
}

json_t *cli_json_number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *cli_json_float(float value) {
    char text[40];
    if (!isfinite(value))
        return json_null();
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return json_real(strtod(text, NULL));
}

int cli_put_number(json_t *object, const char *key, double value) {
    return json_object_set_new(object, key, cli_json_number(value));
}

int cli_put_interval(json_t *object, const char *key, const char *middle,
                     const stoic_interval *interval) {
    json_t *inner = json_object();
    int bad = cli_put_number(inner, middle, interval->value);
    bad |= cli_put_number(inner, "low", interval->low);
    bad |= cli_put_number(inner, "high", interval->high);
    return bad | json_object_set_new(object, key, inner);
}

int cli_put_count(json_t *object, const char *key, int64_t value) {
    return json_object_set_new(object, key, value < 0 ? json_null() : json_integer(value));
}

/* File names need not be UTF-8, JSON must be. */
static json_t *json_text(const char *text) {
    json_t *string = json_string(text);
    if (string)
        return string;
    char *copy = strdup(text);
    if (!copy)
        return NULL;
    for (unsigned char *p = (unsigned char *)copy; *p; p++) {
        if (*p >= 0x80)
            *p = '?';
    }
    string = json_string(copy);
    free(copy);
    return string;
}

int cli_put_text(json_t *object, const char *key, const char *value) {
    return json_object_set_new(object, key, value ? json_text(value) : json_null());
}

stoic_status cli_output_json(cli_output *output, json_t *object, stoic_error *err) {
    if (!object)
        return cli_fail_memory(err);
    int failed = cli_json_write(output->file, object);
    json_decref(object);
    if (failed)
        return cli_fail_memory(err);
    fputc('\n', output->file);
    return STOIC_OK;
}

const char *cli_text_float(float value, char text[40]) {
    if (isnan(value))
        return "nan";
    snprintf(text, 40, "%.9g", (double)value);
    return text;
}

const char *cli_text_double(double value, char text[40]) {
    if (isnan(value))
        return "nan";
    snprintf(text, 40, "%.15g", value); /* 15 digits are enough for most, 17 for all */
    if (strtod(text, NULL) != value)
        snprintf(text, 40, "%.17g", value);
    return text;
}

void cli_put_plain(FILE *file, const char *text) {
    for (; *text; text++)
        fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, file);
}

void cli_csv_field(FILE *file, const char *text) {
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

typedef struct flat {
    FILE *file;
    bool names; /* the header, or the values */
    bool any;
} flat;

static void write_flat(flat *to, const char *prefix, json_t *object) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        char name[128], number[40];
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
        if (json_is_array(value))
            continue;
        if (json_is_object(value)) {
            write_flat(to, name, value);
            continue;
        }
        if (to->any)
            fputc(',', to->file);
        to->any = true;
        if (to->names)
            cli_csv_field(to->file, name);
        else if (json_is_string(value))
            cli_csv_field(to->file, json_string_value(value));
        else if (json_is_integer(value))
            fprintf(to->file, "%lld", (long long)json_integer_value(value));
        else if (json_is_real(value))
            fputs(cli_text_double(json_real_value(value), number), to->file);
        else if (json_is_boolean(value))
            fputs(json_is_true(value) ? "true" : "false", to->file);
    }
}

stoic_status cli_output_flat(cli_output *output, json_t *object, stoic_error *err) {
    if (!object)
        return cli_fail_memory(err);
    write_flat(&(flat){output->file, true, false}, "", object);
    fputc('\n', output->file);
    write_flat(&(flat){output->file, false, false}, "", object);
    fputc('\n', output->file);
    json_decref(object);
    return STOIC_OK;
}
