/* An order in which the nodes can run, and which of them the output needs. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "model/draft.h"

static stoic_status check_inputs(const stoic_builder *b, stoic_error *err) {
    char label[160];
    for (size_t i = 0; i < b->n_nodes; i++) {
        const stoic_draft_node *node = &b->nodes[i];
        for (size_t k = 0; k < node->n_in; k++) {
            if (node->in[k] < 0)
                continue;
            const stoic_draft_value *value = &b->values[node->in[k]];
            if (value->producer < 0 && !value->constant && node->in[k] != b->input)
                return stoic_fail(err, STOIC_ERR_FORMAT, node->name,
                                  "%s: input '%s' is missing: no node, initialiser or graph input "
                                  "has this name",
                                  stoic_draft_label(b, (int)i, label), value->name);
        }
    }
    return STOIC_OK;
}

typedef struct frame {
    int node;
    size_t next; /* input to look at next */
} frame;

typedef struct walk {
    frame *stack;
    unsigned char *state; /* of each node: NEW, OPEN (on the stack), DONE */
    int *order;
    size_t depth, n_order;
} walk;

enum { NEW, OPEN, DONE };

static void push(walk *w, int node) {
    w->state[node] = OPEN;
    w->stack[w->depth++] = (frame){.node = node};
}

/* Depth first from `root`, producers before consumers, without recursion. */
static stoic_status visit(const stoic_builder *b, walk *w, int root, stoic_error *err) {
    char label[160];
    push(w, root);
    while (w->depth > 0) {
        frame *top = &w->stack[w->depth - 1];
        const stoic_draft_node *node = &b->nodes[top->node];
        if (top->next == node->n_in) {
            w->state[top->node] = DONE;
            w->order[w->n_order++] = top->node;
            w->depth--;
            continue;
        }
        int value = node->in[top->next++];
        int producer = value < 0 ? -1 : b->values[value].producer;
        if (producer < 0 || w->state[producer] == DONE)
            continue;
        if (w->state[producer] == OPEN)
            return stoic_fail(err, STOIC_ERR_FORMAT, b->nodes[producer].name,
                              "the graph has a cycle: %s needs its own output",
                              stoic_draft_label(b, producer, label));
        push(w, producer);
    }
    return STOIC_OK;
}

/* Takes nodes in the order of the file where that is possible. */
stoic_status stoic_draft_sort(stoic_builder *b, stoic_error *err) {
    stoic_status status = check_inputs(b, err);
    if (status != STOIC_OK)
        return status;
    walk w = {.stack = calloc(b->n_nodes, sizeof *w.stack),
              .state = calloc(b->n_nodes, 1),
              .order = calloc(b->n_nodes, sizeof *w.order)};
    if (!w.stack || !w.state || !w.order) {
        status = stoic_fail_memory(err, "sorting the graph", b->n_nodes * sizeof *w.stack);
        goto done;
    }
    for (size_t i = 0; i < b->n_nodes; i++) {
        if (w.state[i] == NEW)
            TRY(visit(b, &w, (int)i, err));
    }
    b->order = w.order;
    w.order = NULL;
done:
    free(w.stack);
    free(w.state);
    free(w.order);
    return status;
}

static int root_of(const stoic_builder *b, int value) {
    while (b->values[value].same_as >= 0)
        value = b->values[value].same_as;
    return value;
}

/* Consumers come after producers in `order`, so one pass from the end is enough. */
void stoic_draft_mark_live(stoic_builder *b) {
    for (size_t i = 0; i < b->n_values; i++)
        b->values[i].live = false;
    b->output = root_of(b, b->output);
    b->values[b->output].live = true;
    for (size_t i = b->n_nodes; i-- > 0;) {
        stoic_draft_node *node = &b->nodes[b->order[i]];
        node->live = false;
        for (size_t k = 0; k < node->n_out && !node->gone; k++)
            node->live |= node->out[k] >= 0 && b->values[node->out[k]].live;
        for (size_t k = 0; k < node->n_in && node->live; k++) {
            if (node->in[k] >= 0)
                b->values[node->in[k]].live = true;
        }
    }
}
