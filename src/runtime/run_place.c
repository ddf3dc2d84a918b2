/* Where the values of a run lie: a place is free again behind the last node that reads it. */
#include <string.h>

#include "runtime/walk.h"

enum { ROUND = 16 }; /* floats: places begin at multiples of 64 bytes for one image */

typedef struct placing {
    const stoic_stw *file;
    uint64_t *places;
    uint16_t made[STOIC_STW_MOST], last[STOIC_STW_MOST]; /* nodes, of each value */
} placing;

static uint64_t size_of(const placing *p, uint32_t value) {
    return (stoic_stw_elements(&p->file->values[value]) + ROUND - 1) / ROUND * ROUND;
}

/* Does value `v` lie in [at, at + size) while node `node` runs? */
static bool in_the_way(const placing *p, uint32_t v, uint32_t node, uint64_t at, uint64_t size) {
    const stoic_stw_header *h = p->file->head;
    return v != h->input && p->made[v] < node && p->last[v] >= node && p->places[v] < at + size &&
           at < p->places[v] + size_of(p, v);
}

/* The lowest place where nothing else lies that is still read. */
static uint64_t place_for(const placing *p, uint32_t node, uint64_t size) {
    uint64_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (uint32_t i = 0; i < node; i++) {
            const uint32_t v = p->file->nodes[i].out;
            if (in_the_way(p, v, node, at, size)) {
                at = p->places[v] + size_of(p, v);
                moved = true;
            }
        }
    }
    return at;
}

/* May the node write over its first input? */
static bool in_place(const placing *p, uint32_t node) {
    const stoic_stw_node *n = &p->file->nodes[node];
    const bool elementwise = n->op == STOIC_STW_NORM || n->op == STOIC_STW_RELU ||
                             n->op == STOIC_STW_CLIP || n->op == STOIC_STW_SIGMOID ||
                             n->op == STOIC_STW_ADD || n->op == STOIC_STW_MUL;
    return elementwise && n->in[0] != p->file->head->input && p->last[n->in[0]] == node;
}

uint64_t stoic_run_place(const stoic_stw *file, uint64_t places[STOIC_STW_MOST]) {
    const stoic_stw_header *h = file->head;
    placing p = {.file = file, .places = places};
    uint64_t end = 0;
    for (uint32_t i = 0; i < h->n_nodes; i++) {
        const stoic_stw_node *n = &file->nodes[i];
        p.made[n->out] = (uint16_t)i;
        p.last[n->out] = (uint16_t)i;
        for (int k = 0; k < STOIC_STW_JOINED; k++) {
            if (stoic_stw_input(n, k) != STOIC_STW_NONE)
                p.last[stoic_stw_input(n, k)] = (uint16_t)i;
        }
    }
    p.last[h->output] = (uint16_t)h->n_nodes;
    memset(places, 0, h->n_values * sizeof *places);
    for (uint32_t i = 0; i < h->n_nodes; i++) {
        const stoic_stw_node *n = &file->nodes[i];
        places[n->out] = in_place(&p, i) ? places[n->in[0]] : place_for(&p, i, size_of(&p, n->out));
        if (places[n->out] + size_of(&p, n->out) > end)
            end = places[n->out] + size_of(&p, n->out);
    }
    return end;
}
