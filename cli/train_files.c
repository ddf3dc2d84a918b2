#include "train_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where "net.v2.onnx" ends without its suffix; the whole length where it has none. */
static size_t stem_length(const char *path) {
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    const char *dot = strrchr(name, '.');
    return dot && dot != name ? (size_t)(dot - path) : strlen(path);
}

static bool is_device(const char *path) {
    struct stat there;
    return stat(path, &there) == 0 && !S_ISREG(there.st_mode) && !S_ISDIR(there.st_mode);
}

/* The given name, or "STEM" + `middle` + `suffix`. */
static bool name_file(const char *given, bool wanted, const char *last, size_t stem,
                      const char *middle, const char *suffix, char **out) {
    *out = NULL;
    if (given && !strcmp(given, "none"))
        return true;
    if (given)
        return (*out = strdup(given)) != NULL;
    if (!wanted)
        return true;
    return asprintf(out, "%.*s%s%s", (int)stem, last, middle, suffix) >= 0;
}

stoic_status cli_train_files_name(const char *last, const char *best, bool tested,
                                  const char *checkpoint, cli_train_files *out, stoic_error *err) {
    size_t stem = stem_length(last), length = strlen(last);
    bool beside = !is_device(last);
    memset(out, 0, sizeof *out);
    out->last = last;
    if (length < 4096 &&
        name_file(best, beside && tested, last, stem, ".best", last + stem, &out->best) &&
        name_file(NULL, beside, last, stem, "", ".csv", &out->csv) &&
        name_file(NULL, beside, last, stem, "", ".svg", &out->svg) &&
        name_file(checkpoint, beside, last, length, "", ".checkpoint", &out->checkpoint))
        return STOIC_OK;
    cli_train_files_deinit(out);
    return length < 4096 ? cli_fail_memory(err)
                         : cli_fail(err, STOIC_ERR_ARGUMENT, "--output", "the name is too long");
}

void cli_train_files_deinit(cli_train_files *files) {
    free(files->best);
    free(files->csv);
    free(files->svg);
    free(files->checkpoint);
    memset(files, 0, sizeof *files);
}

enum { FILES = 5 };

static void list_files(const cli_train_files *files, const char *out[FILES]) {
    out[0] = files->last;
    out[1] = files->best;
    out[2] = files->csv;
    out[3] = files->svg;
    out[4] = files->checkpoint;
}

/* A file or its successor will be made in its folder and take its name. */
static stoic_status check_writable(const char *path, stoic_error *err) {
    struct stat there;
    if (stat(path, &there) == 0 && S_ISDIR(there.st_mode)) {
        errno = EISDIR;
        return cli_fail_errno(err, path, "cannot write");
    }
    if (is_device(path))
        return access(path, W_OK) == 0 ? STOIC_OK : cli_fail_errno(err, path, "cannot write");
    const char *slash = strrchr(path, '/');
    char *folder = !slash          ? strdup(".")
                   : slash == path ? strdup("/")
                                   : strndup(path, (size_t)(slash - path));
    if (!folder)
        return cli_fail_memory(err);
    bool open = access(folder, W_OK | X_OK) == 0;
    free(folder);
    return open ? STOIC_OK : cli_fail_errno(err, path, "cannot create");
}

stoic_status cli_train_files_check(const cli_train_files *files, stoic_error *err) {
    const char *paths[FILES];
    stoic_status status = STOIC_OK;
    list_files(files, paths);
    for (int i = 0; i < FILES && status == STOIC_OK; i++) {
        if (paths[i])
            status = check_writable(paths[i], err);
        for (int j = 0; j < i && paths[i] && status == STOIC_OK; j++) {
            if (paths[j] && !strcmp(paths[i], paths[j]) && !is_device(paths[i]))
                status = cli_fail(err, STOIC_ERR_ARGUMENT, paths[i],
                                  "two results of this training would have this name");
        }
    }
    return status;
}

stoic_status cli_train_files_keep(const cli_train_files *files, const cli_call *call,
                                  const char *const *specs, size_t n, stoic_error *err) {
    const char *paths[FILES];
    stoic_status status = STOIC_OK;
    list_files(files, paths);
    if (cli_call_reads(call, files->last))
        return cli_fail(err, STOIC_ERR_ARGUMENT, files->last,
                        "the trained network would overwrite the one it starts from; name another "
                        "file with -o");
    for (int i = 0; i < FILES && status == STOIC_OK; i++) {
        status = cli_call_keeps(call, paths[i], err);
        for (size_t s = 0; s < n && status == STOIC_OK; s++)
            status = cli_spec_keeps(specs[s], paths[i], err);
    }
    return status;
}
