/* Running gnuplot: in a private folder that goes away, with files of our own making. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "report/figure.h"

enum { MAX_SVG = 64 << 20 };

static const char *const files[] = {"figure.gp", "data", "figure.svg", "log"};

static char *join(const char *folder, const char *name) {
    char *path = NULL;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static void remove_folder(const char *folder) {
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = join(folder, files[i]);
        if (path)
            unlink(path);
        free(path);
    }
    rmdir(folder);
}

static stoic_status make_folder(char **out, stoic_error *err) {
    const char *parent = getenv("TMPDIR");
    *out = NULL;
    if (parent && *parent)
        *out = join(parent, "stoic-figure-XXXXXX");
    else
        *out = strdup("/tmp/stoic-figure-XXXXXX");
    if (!*out)
        return stoic_fail_memory(err, "a path", 1);
    if (mkdtemp(*out))
        return STOIC_OK;
    stoic_status status = stoic_fail_errno(err, *out, "cannot make a temporary folder");
    free(*out);
    *out = NULL;
    return status;
}

static stoic_status write_file(const char *folder, const char *name, const char *before,
                               const stoic_text *text, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_text all = {0};
    char *path = join(folder, name);
    if (!path)
        return stoic_fail_memory(err, "a path", 1);
    stoic_text_puts(&all, before);
    stoic_text_add(&all, text->data, text->length);
    TRY(stoic_text_finish(&all, err));
    status = stoic_file_write(path, all.data, all.length, err);
done:
    stoic_text_deinit(&all);
    free(path);
    return status;
}

/* The caller's environment, numbers with a point. */
static char **environment(void) {
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **out = calloc(n + 2, sizeof *out);
    static char c_locale[] = "LC_ALL=C.UTF-8";
    for (size_t i = 0; out && i < n; i++) {
        if (strncmp(environ[i], "LC_ALL=", 7) != 0 && strncmp(environ[i], "GNUPLOT", 7) != 0)
            out[kept++] = environ[i];
    }
    if (out)
        out[kept] = c_locale;
    return out;
}

/* *started is false where there is no gnuplot; *result is its wait status. */
static stoic_status spawn_gnuplot(const char *folder, bool *started, int *result,
                                  stoic_error *err) {
    static char program[] = "gnuplot", plain[] = "-d", script[] = "figure.gp";
    char *const arguments[] = {program, plain, script, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    char **env = environment();
    *started = false;
    if (!env || posix_spawn_file_actions_init(&actions) != 0) {
        free(env);
        return stoic_fail_memory(err, "gnuplot's environment", 1);
    }
    int failed = posix_spawn_file_actions_addchdir_np(&actions, folder);
    if (!failed)
        failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (!failed)
        failed = posix_spawn_file_actions_addopen(&actions, 1, "log", O_WRONLY | O_CREAT | O_TRUNC,
                                                  0600);
    if (!failed)
        failed = posix_spawn_file_actions_adddup2(&actions, 1, 2);
    if (!failed)
        failed = posix_spawnp(&child, program, &actions, NULL, arguments, env);
    posix_spawn_file_actions_destroy(&actions);
    free(env);
    if (failed)
        return STOIC_OK;
    *started = true;
    while (waitpid(child, result, 0) < 0) {
        if (errno != EINTR)
            return stoic_fail_errno(err, "gnuplot", "cannot wait");
    }
    return STOIC_OK;
}

static void warn_refused(const stoic_figure *figure, const char *folder) {
    uint8_t *log = NULL;
    size_t bytes = 0;
    char *path = join(folder, "log");
    if (!path || stoic_file_read(path, 1 << 20, &log, &bytes, NULL) != STOIC_OK)
        log = NULL;
    const char *text = log ? (const char *)log : "";
    text += strspn(text, " \t\r\n^");
    stoic_log(STOIC_LOG_WARNING, "gnuplot could not draw the figure %s: %.*s", figure->key,
              (int)strcspn(text, "\n"), text);
    free(log);
    free(path);
}

stoic_status stoic_figure_draw(stoic_figure *figure, bool *drawn, stoic_error *err) {
    char *folder = NULL, *path = NULL, before[256];
    uint8_t *svg = NULL;
    size_t bytes = 0;
    int result = 0;
    stoic_status status;
    *drawn = false;
    TRY(make_folder(&folder, err));
    snprintf(
        before, sizeof before,
        "set terminal svg size %d,%d dynamic noenhanced font 'sans-serif,13' name 'f' standalone\n"
        "set encoding utf8\nset output 'figure.svg'\n",
        figure->width, figure->height);
    TRY(write_file(folder, "figure.gp", before, &figure->script, err));
    TRY(write_file(folder, "data", "", &figure->data, err));
    TRY(spawn_gnuplot(folder, drawn, &result, err));
    if (!*drawn)
        goto done;
    path = join(folder, "figure.svg");
    if (WIFEXITED(result) && WEXITSTATUS(result) == 127) { /* spawned, but not executed */
        *drawn = false;
    } else if (result != 0 || !path ||
               stoic_file_read(path, MAX_SVG, &svg, &bytes, NULL) != STOIC_OK) {
        warn_refused(figure, folder);
    } else {
        stoic_svg_polish(figure, (const char *)svg, &figure->svg);
        status = stoic_text_finish(&figure->svg, err);
    }
done:
    free(svg);
    free(path);
    if (folder)
        remove_folder(folder);
    free(folder);
    return status;
}
