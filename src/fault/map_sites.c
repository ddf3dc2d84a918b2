/* Which layers of a model faults in feature maps can hit. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "fault/map.h"
#include "model/graph.h"
#include "model/layer_list.h"

bool stoic_map_kind_fits(stoic_map_kind kind, const stoic_map_site *site) {
    bool plane = site->height > 1 && site->width > 1;
    switch (kind) {
    case STOIC_MAP_LINE:
    case STOIC_MAP_ROW:
    case STOIC_MAP_COLUMN:
    case STOIC_MAP_BLOCK:
        return plane;
    default:
        return true;
    }
}

/* feeds[v]: does value v reach a layer? Nodes stand in an order in which they can run. */
static void mark_feeds(const stoic_model *model, bool *feeds) {
    for (size_t i = model->n_nodes; i-- > 0;) {
        const stoic_node *node = &model->nodes[i];
        bool reaches = node->layer >= 0;
        for (size_t k = 0; k < node->n_out; k++)
            reaches = reaches || (node->out[k] >= 0 && feeds[node->out[k]]);
        for (size_t k = 0; k < node->n_in; k++) {
            if (node->in[k] >= 0)
                feeds[node->in[k]] = feeds[node->in[k]] || reaches;
        }
    }
}

/* A Conv, or a fully connected layer (Gemm, or MatMul with its bias in an Add) behind which no
 * layer stands. */
static bool is_site(const stoic_node *node, const bool *feeds) {
    return node->op == &stoic_op_conv || !feeds[node->out[0]];
}

/* [1,C,H,W]; [1,F] is C = F; anything else is channels of vectors. */
static stoic_map_site measure(const stoic_model *model, int layer) {
    const int number = model->layer_nodes[layer];
    const stoic_node *node = &model->nodes[number];
    const stoic_shape *shape = &model->values[node->out[0]].shape;
    const int64_t elements = stoic_shape_count(shape);
    stoic_map_site out = {.layer = layer, .node = number, .value = node->out[0]};
    out.channels = shape->rank > 1 ? shape->dim[1] : 1;
    out.height = shape->rank == 4 ? shape->dim[2] : 1;
    out.width = elements > 0 ? elements / out.channels / out.height : 0;
    return out;
}

static stoic_status add_site(stoic_map_fault *fault, const stoic_map_site *site, stoic_error *err) {
    int64_t elements = stoic_map_site_elements(site);
    if (elements < 1 || elements >= STOIC_MAP_ELEMENTS)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, fault->model->nodes[site->node].name,
                          "faults in feature maps need maps of 1 to %d elements, this layer's has "
                          "%lld",
                          STOIC_MAP_ELEMENTS - 1, (long long)elements);
    fault->sites[fault->n_sites++] = *site;
    return STOIC_OK;
}

/* A layer asked for by number or name must be one that can be hit. */
static stoic_status refuse(const stoic_map_fault *fault, int layer, bool site, stoic_error *err) {
    static const char *const kinds[] = {
#define MAP_NAME(enumerator, name, summary) [enumerator] = name,
        STOIC_MAP_LIST(MAP_NAME)
#undef MAP_NAME
    };
    stoic_layer facts = stoic_model_layer(fault->model, layer);
    char shape[128];
    if (site)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "layer: %s needs a map with rows and columns, layer %d ('%s') has %s; "
                          "single, whole and scatter fit it",
                          kinds[fault->kind], layer, facts.name,
                          stoic_shape_text(&facts.output, shape));
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                      "layer: layer %d ('%s', %s) is neither a Conv nor the final fully connected "
                      "layer; faults in feature maps hit their outputs",
                      layer, facts.name, facts.op);
}

stoic_status stoic_map_sites_select(stoic_map_fault *fault, const char *layers, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_model *model = fault->model;
    const int count = stoic_model_layer_count(model);
    bool every = !layers || !strcmp(layers, "all");
    bool *feeds = calloc(model->n_values + 1, sizeof *feeds);
    bool *chosen = calloc((size_t)count + 1, sizeof *chosen);
    fault->sites = calloc((size_t)count + 1, sizeof *fault->sites);
    fault->every_site = true;
    if (!feeds || !chosen || !fault->sites) {
        status =
            stoic_fail_memory(err, "a fault model", ((size_t)count + 1) * sizeof *fault->sites);
        goto done;
    }
    if (!every)
        TRY(stoic_layers_parse(model, stoic_model_layer_count(model), layers, chosen, err));
    mark_feeds(model, feeds);
    for (int layer = 0; layer < count; layer++) {
        bool site = is_site(&model->nodes[model->layer_nodes[layer]], feeds);
        stoic_map_site found = measure(model, layer);
        bool fits = site && stoic_map_kind_fits(fault->kind, &found);
        if (chosen[layer] && !fits) {
            status = refuse(fault, layer, site, err);
            goto done;
        }
        if (fits && (every || chosen[layer]))
            TRY(add_site(fault, &found, err));
        else if (fits)
            fault->every_site = false;
    }
    if (!fault->n_sites)
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                            "the model has no layer whose feature map this fault model fits");
done:
    free(feeds);
    free(chosen);
    return status;
}

void stoic_map_sites_text(const stoic_map_fault *fault, stoic_text *text) {
    if (fault->every_site)
        stoic_text_puts(text, ",layer=all");
    for (int i = 0; i < fault->n_sites && !fault->every_site; i++)
        stoic_text_printf(text, "%s%d", i ? "+" : ",layer=", fault->sites[i].layer);
}
