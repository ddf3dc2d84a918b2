#include <stdio.h>
#include <string.h>

#include "stoic/parse.h"
#include "verb.h"

#define ADDRESS(name) &cli_verb_##name,
const cli_verb *const cli_verbs[] = {CLI_VERB_LIST(ADDRESS) NULL};

const cli_verb *cli_verb_find(const char *name) {
    for (size_t i = 0; cli_verbs[i]; i++) {
        if (!strcmp(cli_verbs[i]->name, name))
            return cli_verbs[i];
    }
    return NULL;
}

stoic_status cli_verb_refuse(const char *name, stoic_error *err) {
#define NAME(name) #name,
    static const char *const known[] = {CLI_VERB_LIST(NAME) NULL};
#undef NAME
    const char *near = stoic_nearest(name, known);
    if (near)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "", "unknown verb '%s'; did you mean '%s'?", name,
                        near);
    return cli_fail(err, STOIC_ERR_ARGUMENT, "", "unknown verb '%s'; 'stoic help' lists them",
                    name);
}
