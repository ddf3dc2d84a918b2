/* A campaign's parts, bound together, and the facts that tell it from all others. */
#ifndef STOIC_CAMPAIGN_IDENTITY_H
#define STOIC_CAMPAIGN_IDENTITY_H

#include "campaign/campaign_file.h"
#include "campaign/engine.h"
#include "fault/cells.h"

/* What a campaign is made of. Zero-initialised: nothing. */
typedef struct stoic_parts {
    const stoic_model *model;
    stoic_model *golden; /* the model as the store gives it back: what runs */
    const stoic_dataset *data;
    stoic_store *store;
    stoic_fault **faults; /* in stored bits */
    size_t n_faults;
    stoic_transient *transient; /* in computed values; NULL: none */
    const char **texts;         /* of all, as given */
    size_t n_texts;
    stoic_cells *cells; /* of the only fault, for strata; NULL: simple sampling */
    int64_t limit;      /* trials there are; -1: any number */
    int64_t fixed;      /* trials that the fault model fixes; -1 */
    int64_t space; /* single-site faults, where running them all leaves nothing to chance; -1 */
} stoic_parts;

/* Creates store and faults as the options say, and checks the options. */
stoic_status stoic_parts_init(stoic_parts *parts, const stoic_model *model,
                              const stoic_dataset *data, const stoic_campaign_options *options,
                              stoic_error *err) STOIC_MUST_CHECK;
void stoic_parts_deinit(stoic_parts *parts);

/* What the options leave open, by the fault models: --outcomes and the images a trial sees. */
void stoic_options_settle(stoic_campaign_options *options);

/* The facts known before the network has run; then those of the golden pass. */
stoic_status stoic_identity_facts(const stoic_parts *parts, const stoic_campaign_options *options,
                                  const stoic_design *design, stoic_facts *facts,
                                  stoic_error *err) STOIC_MUST_CHECK;
stoic_status stoic_identity_golden(stoic_facts *facts, const stoic_golden *golden,
                                   stoic_error *err) STOIC_MUST_CHECK;

/* keep_images and keep_sites as the facts say. */
void stoic_identity_read_kept(const stoic_facts *facts, stoic_campaign_options *out);

/* The design frozen among the facts of a file, or of what else `place` is. */
stoic_status stoic_identity_design(const stoic_facts *facts, const char *place,
                                   stoic_design *design, stoic_error *err) STOIC_MUST_CHECK;

/* Tables, facts and golden outcome of a new campaign. */
stoic_status stoic_identity_create(stoic_campaign_file *file, const stoic_parts *parts,
                                   const stoic_facts *facts, const stoic_golden *golden,
                                   stoic_error *err) STOIC_MUST_CHECK;

#endif
