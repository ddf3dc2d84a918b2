/* Ctrl-C: what is done is kept, and the command that goes on is printed. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "launcher.h"
#include "verb.h"

static volatile int cancelled;

static void on_signal(int number) {
    (void)number;
    __atomic_store_n(&cancelled, 1, __ATOMIC_RELAXED); /* workers read it */
}

const volatile int *cli_interrupt_catch(void) {
    /* Kernels that oneDNN generates use the stack pointer as one register more: a handler on the
     * interrupted stack would write its frame into whatever it points to, the heap for instance.
     * The system prefers the main thread, which is this one. */
    static char room[1 << 16];
    const stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
    sigaltstack(&stack, NULL);
    struct sigaction before,
        action = {.sa_handler = on_signal, .sa_flags = (int)(SA_RESETHAND | SA_ONSTACK)};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* A terminal that closes may say so twice; nohup wants it ignored. */
    action.sa_flags = SA_ONSTACK;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, NULL);
    return &cancelled;
}

void cli_interrupt_tell(const cli_call *call, const char *option) {
    for (int i = 2; option && i < call->argc; i++) {
        if (!strcmp(call->argv[i], option))
            option = NULL;
    }
    fputs("to go on:\n  ", stderr);
    if (cli_launcher_ranks() > 1)
        fprintf(stderr, "mpirun -n %d ", cli_launcher_ranks());
    for (int i = 0; i < call->argc; i++) {
        if (i == 2 && option) /* not at the end: there may be a "--" before */
            cli_quote(stderr, option, false);
        cli_quote(stderr, call->argv[i], i == 0);
    }
    fputc('\n', stderr);
}

stoic_status cli_interrupt_study(const cli_call *call, const char *keep, stoic_status status,
                                 stoic_error *err) {
    if (status != STOIC_ERR_INTERRUPTED)
        return status;
    if (!keep)
        return cli_fail(err, STOIC_ERR_INTERRUPTED, "",
                        "interrupted; with --keep DIR it could go on from there");
    cli_interrupt_tell(call, NULL);
    return cli_fail(err, STOIC_ERR_INTERRUPTED, keep, "interrupted; what is done is kept");
}
