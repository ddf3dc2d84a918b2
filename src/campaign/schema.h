/* Tables and views of a campaign file, format 1; told in docs/formats.md. */
#ifndef STOIC_CAMPAIGN_SCHEMA_H
#define STOIC_CAMPAIGN_SCHEMA_H

extern const char stoic_campaign_schema[];
/* The table of trials whose sites are left out, which files of older versions lack. */
extern const char stoic_crowds_schema[];
/* Counts what a stranger's file may not have: code of its own that runs where we read or write
 * tables, without end if it likes. Views of other names are nobody's business. */
extern const char stoic_campaign_schema_code[];

/* How a row of `strata` takes up another of the same layer and bit. */
#define STOIC_STRATA_ADD_UP                                                                        \
    " ON CONFLICT(layer, bit) DO UPDATE SET trials = trials + excluded.trials,"                    \
    " images = images + excluded.images, correct = correct + excluded.correct,"                    \
    " critical = critical + excluded.critical, nan = nan + excluded.nan,"                          \
    " masked = masked + excluded.masked, tolerable = tolerable + excluded.tolerable,"              \
    " due = due + excluded.due, sdc5 = sdc5 + excluded.sdc5, sdc10 = sdc10 + excluded.sdc10,"      \
    " sdc20 = sdc20 + excluded.sdc20, correct2 = correct2 + excluded.correct2,"                    \
    " critical2 = critical2 + excluded.critical2,"                                                 \
    " correct_min = min(correct_min, excluded.correct_min),"                                       \
    " correct_max = max(correct_max, excluded.correct_max)"

#endif
