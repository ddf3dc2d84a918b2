#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "stoic/beam.h"
#include "stoic/parse.h"
#include "stoic/records.h"
#include "verb.h"

/* What is asked, by what is given. */
typedef enum fit_form {
    BEAM = 1,     /* events and a fluence */
    CAMPAIGN = 2, /* raw FIT, bits and critical rate of a campaign file */
    GIVEN = 4,    /* raw FIT, bits and PVF */
    SCRUBBED = 8, /* raw FIT, words and scrubbing */
} fit_form;

typedef struct settings {
    cli_common common;
    const char *events, *fluence, *flux, *confidence, *against;
    const char *raw, *bits, *pvf, *hours, *scrub, *words, *word_bits;
} settings;

/* The same as numbers; NaN where not given. */
typedef struct numbers {
    double events, fluence, flux, confidence, raw, bits, pvf, hours, scrub, words, word_bits;
} numbers;

static const cli_option options[] = {
    {.name = "events",
     .kind = CLI_TEXT,
     .argument = "N",
     .offset = offsetof(settings, events),
     .help = "failures seen in the beam"},
    {.name = "fluence",
     .kind = CLI_TEXT,
     .argument = "F",
     .offset = offsetof(settings, fluence),
     .help = "particles per cm² that the device got"},
    {.name = "against",
     .kind = CLI_TEXT,
     .argument = "N2,F2",
     .offset = offsetof(settings, against),
     .help = "events and fluence of another device: the ratio of the two rates"},
    {.name = "flux",
     .kind = CLI_TEXT,
     .argument = "X",
     .offset = offsetof(settings, flux),
     .help = "particles per cm² and hour in the field",
     .fallback = "13, neutrons at sea level"},
    {.name = "confidence",
     .kind = CLI_TEXT,
     .argument = "C",
     .offset = offsetof(settings, confidence),
     .help = "level of the intervals of --events; a campaign has its own",
     .fallback = "0.95"},
    {.name = "raw-fit-mbit",
     .kind = CLI_TEXT,
     .argument = "R",
     .offset = offsetof(settings, raw),
     .help = "upsets of 10^6 bits of the memory in 10^9 hours"},
    {.name = "bits",
     .kind = CLI_TEXT,
     .argument = "B",
     .offset = offsetof(settings, bits),
     .help = "stored bits of the model"},
    {.name = "pvf",
     .kind = CLI_TEXT,
     .argument = "P",
     .offset = offsetof(settings, pvf),
     .help = "probability that one flipped bit makes a failure"},
    {.name = "hours",
     .kind = CLI_TEXT,
     .argument = "H",
     .offset = offsetof(settings, hours),
     .help = "length of a mission: the probability that it sees a failure"},
    {.name = "scrub-hours",
     .kind = CLI_TEXT,
     .argument = "S",
     .offset = offsetof(settings, scrub),
     .help = "time between two scrubs of a memory whose code corrects one error a word"},
    {.name = "words",
     .kind = CLI_TEXT,
     .argument = "W",
     .offset = offsetof(settings, words),
     .help = "with --scrub-hours: words of this memory"},
    {.name = "word-bits",
     .kind = CLI_TEXT,
     .argument = "N",
     .offset = offsetof(settings, word_bits),
     .help = "with --scrub-hours: bits of a word, check bits included"},
    CLI_FORMAT_OPTION(settings),
    CLI_OUTPUT_OPTION(settings, "write to FILE instead of standard output"),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

/* ---- reading ---- */

typedef enum number_kind { WHOLE, NATURAL, AMOUNT, POSITIVE, SHARE, LEVEL } number_kind;

static const char *const kind_text[] = {"",
                                        "",
                                        "a number from 0 on",
                                        "a number above 0",
                                        "a probability from 0 to 1",
                                        "a fraction between 0 and 1"};

/* Which options go with which form, and in which of them they must be there. */
static const struct number {
    const char *option, *hint;
    size_t text, number;
    number_kind kind;
    int forms, needed;
} table[] = {
#define NUMBER(option, hint, member, kind, forms, needed)                                          \
    { option, hint, offsetof(settings, member), offsetof(numbers, member), kind, forms, needed }
    NUMBER("--events", " N", events, WHOLE, BEAM, BEAM),
    NUMBER("--fluence", " F", fluence, POSITIVE, BEAM, BEAM),
    NUMBER("--flux", "", flux, POSITIVE, BEAM, 0),
    NUMBER("--confidence", "", confidence, LEVEL, BEAM, 0),
    NUMBER("--raw-fit-mbit", " R", raw, AMOUNT, CAMPAIGN | GIVEN | SCRUBBED,
           CAMPAIGN | GIVEN | SCRUBBED),
    NUMBER("--bits", " B, or a campaign file", bits, NATURAL, GIVEN, GIVEN),
    NUMBER("--pvf", " P, or a campaign file", pvf, SHARE, GIVEN, GIVEN),
    NUMBER("--scrub-hours", " S", scrub, POSITIVE, SCRUBBED, SCRUBBED),
    NUMBER("--words", " W: scrubbing helps only where a code corrects one error a word", words,
           NATURAL, SCRUBBED, SCRUBBED),
    NUMBER("--word-bits", " N: scrubbing helps only where a code corrects one error a word",
           word_bits, NATURAL, SCRUBBED, SCRUBBED),
    NUMBER("--hours", " H", hours, AMOUNT, BEAM | CAMPAIGN | GIVEN | SCRUBBED, SCRUBBED),
#undef NUMBER
};

static stoic_status read_number(const char *text, const char *what, number_kind kind, double *out,
                                stoic_error *err) {
    double x = 0.0;
    int64_t count;
    if (kind == WHOLE || kind == NATURAL) {
        /* up to 10^15 a double counts exactly */
        stoic_status status =
            stoic_parse_count(text, what, kind == NATURAL, 1000000000000000, &count, err);
        *out = (double)count;
        return status;
    }
    stoic_status status = stoic_parse_number(text, what, &x, err);
    if (status != STOIC_OK)
        return status;
    bool good = x >= 0.0 && isfinite(x);
    if (kind == POSITIVE || kind == LEVEL)
        good = good && x > 0.0;
    if (kind == SHARE)
        good = good && x <= 1.0;
    if (kind == LEVEL)
        good = good && x < 1.0;
    if (!good)
        return cli_fail(err, STOIC_ERR_ARGUMENT, what, "expected %s, found '%s'", kind_text[kind],
                        text);
    *out = x;
    return STOIC_OK;
}

static stoic_status find_form(const settings *set, const cli_call *call, fit_form *out,
                              const char **sign, stoic_error *err) {
    const struct {
        bool given;
        fit_form form;
        const char *sign;
    } checks[] = {{set->events, BEAM, "--events"},
                  {set->fluence, BEAM, "--fluence"},
                  {set->scrub, SCRUBBED, "--scrub-hours"},
                  {set->words, SCRUBBED, "--words"},
                  {set->word_bits, SCRUBBED, "--word-bits"},
                  {call->arguments.count > 0, CAMPAIGN, "a campaign file"},
                  {set->bits, GIVEN, "--bits"},
                  {set->pvf, GIVEN, "--pvf"},
                  {set->raw, GIVEN, "--raw-fit-mbit"}};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        if (checks[i].given) {
            *out = checks[i].form;
            *sign = checks[i].sign;
            return STOIC_OK;
        }
    }
    return cli_fail(err, STOIC_ERR_ARGUMENT, "",
                    "expected --events N --fluence F, or --raw-fit-mbit R with a campaign file, "
                    "with --bits B --pvf P or with --scrub-hours S");
}

static stoic_status read_all(const settings *set, const cli_call *call, fit_form *form,
                             numbers *out, stoic_error *err) {
    const char *sign = NULL;
    stoic_status status = find_form(set, call, form, &sign, err);
    if (status == STOIC_OK && *form != CAMPAIGN && call->arguments.count > 0)
        status = cli_fail(err, STOIC_ERR_ARGUMENT, "", "a campaign file does not go with %s", sign);
    if (status == STOIC_OK && set->against && *form != BEAM)
        status = cli_fail(err, STOIC_ERR_ARGUMENT, "", "--against does not go with %s", sign);
    for (size_t i = 0; status == STOIC_OK && i < sizeof table / sizeof *table; i++) {
        const struct number *at = &table[i];
        const char *text = *(const char *const *)((const char *)set + at->text);
        double *number = (double *)((char *)out + at->number);
        *number = NAN;
        if (!text && (at->needed & (int)*form))
            status =
                cli_fail(err, STOIC_ERR_ARGUMENT, "", "missing option %s%s", at->option, at->hint);
        else if (text && !(at->forms & (int)*form))
            status =
                cli_fail(err, STOIC_ERR_ARGUMENT, "", "%s does not go with %s", at->option, sign);
        else if (text)
            status = read_number(text, at->option, at->kind, number, err);
    }
    if (!set->flux)
        out->flux = STOIC_BEAM_FLUX;
    if (!set->confidence)
        out->confidence = 0.95;
    return status;
}

/* ---- computing ---- */

typedef struct result {
    fit_form form;
    numbers in;
    const char *campaign;
    char fault[128];
    int64_t stored; /* bits of the campaign's store, or -1 */
    double sigma;
    stoic_interval pvf, fit, ratio, mission;
    double start;
} result;

static stoic_status compute_beam(const settings *set, result *out, stoic_error *err) {
    const numbers *in = &out->in;
    double alpha = 1.0 - in->confidence, events = 0.0, fluence = 0.0;
    stoic_interval section = stoic_beam_section((int64_t)in->events, in->fluence, alpha);
    out->sigma = section.value;
    out->fit = stoic_beam_fit(section, in->flux);
    if (!set->against)
        return STOIC_OK;
    char *copy = strdup(set->against), *comma = copy ? strchr(copy, ',') : NULL;
    stoic_status status = STOIC_OK;
    if (!copy)
        return cli_fail_memory(err);
    if (!comma) {
        status = cli_fail(err, STOIC_ERR_ARGUMENT, "--against",
                          "expected events and fluence, as in 12,1e11, found '%s'", set->against);
        goto done;
    }
    *comma = '\0';
    TRY(read_number(copy, "--against", WHOLE, &events, err));
    TRY(read_number(comma + 1, "--against", POSITIVE, &fluence, err));
    out->ratio =
        stoic_beam_ratio((int64_t)in->events, in->fluence, (int64_t)events, fluence, alpha);
done:
    free(copy);
    return status;
}

/* "flips:1" or "exhaustive", with or without keys. */
static bool is_single_flip(const char *fault) {
    static const char *const names[] = {"flips:1", "exhaustive"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i]);
        if (!strncmp(fault, names[i], length) && (!fault[length] || fault[length] == ','))
            return true;
    }
    return false;
}

/* The rate must be that of one random stored bit flipping, and the bits those it was drawn from. */
static stoic_status take_records(stoic_records *records, result *out, stoic_error *err) {
    const char *fault = stoic_records_info(records, "fault");
    const char *space = stoic_records_info(records, "fault_space");
    const char *second = stoic_records_info(records, "fault_2");
    const char *stored = stoic_records_info(records, "stored_bits");
    stoic_summary summary;
    int64_t bits = 0;
    stoic_status status = STOIC_OK;
    if (!fault || !space)
        return cli_fail(err, STOIC_ERR_FORMAT, out->campaign, "the file does not name its faults");
    if (second || !is_single_flip(fault))
        return cli_fail(err, STOIC_ERR_ARGUMENT, out->campaign,
                        "a rate for one flipped bit is needed, from flips:1 or exhaustive; found "
                        "'%s%s%s'",
                        fault, second ? " and " : "", second ? second : "");
    TRY(stoic_parse_count(space, out->campaign, 1, INT64_MAX, &bits, err));
    if (stored)
        TRY(stoic_parse_count(stored, out->campaign, bits, INT64_MAX, &out->stored, err));
    TRY(stoic_records_summary(records, &summary, err));
    if (summary.trials < 1 || (!strncmp(fault, "exhaustive", 10) && summary.trials < bits)) {
        status = cli_fail(err, STOIC_ERR_ARGUMENT, out->campaign,
                          "the campaign is not complete: %lld of %lld trials",
                          (long long)summary.trials, (long long)summary.planned);
        goto done;
    }
    snprintf(out->fault, sizeof out->fault, "%s", fault);
    out->in.bits = (double)bits;
    out->in.confidence = summary.confidence;
    out->pvf = summary.critical_rate;
done:
    return status;
}

static stoic_status compute(const settings *set, const cli_call *call, result *out,
                            stoic_error *err) {
    const numbers *in = &out->in;
    stoic_records *records = NULL;
    stoic_status status = STOIC_OK;
    TRY(read_all(set, call, &out->form, &out->in, err));
    if (out->form == SCRUBBED) {
        out->mission.value =
            stoic_scrubbed_failure(in->raw, in->words, in->word_bits, in->hours, in->scrub);
        return STOIC_OK;
    }
    if (out->form == BEAM) {
        TRY(compute_beam(set, out, err));
    } else if (out->form == CAMPAIGN) {
        TRY(cli_call_expect(call, 1, 1, "one campaign file", err));
        TRY(cli_call_keeps(call, set->common.output, err));
        out->campaign = call->arguments.items[0];
        TRY(stoic_records_open(out->campaign, &records, err));
        TRY(take_records(records, out, err));
    } else {
        out->pvf.value = in->pvf;
    }
    if (out->form != BEAM)
        out->fit = stoic_model_fit(in->raw, in->bits, out->pvf);
    out->mission.value = stoic_mission_failure(out->fit.value, in->hours);
    out->mission.low = stoic_mission_failure(out->fit.low, in->hours);
    out->mission.high = stoic_mission_failure(out->fit.high, in->hours);
done:
    stoic_records_free(records);
    return status;
}

/* ---- telling ---- */

/* NaN: not given. */
static int put_whole(json_t *object, const char *key, double value) {
    return cli_put_count(object, key, value >= 0.0 && value < 9e18 ? (int64_t)value : -1);
}

static json_t *result_object(const result *at) {
    const numbers *in = &at->in;
    bool beam = at->form == BEAM;
    json_t *object = json_object();
    int bad = cli_put_text(object, "campaign", at->campaign);
    bad |= cli_put_text(object, "fault", *at->fault ? at->fault : NULL);
    bad |= put_whole(object, "events", in->events);
    bad |= cli_put_number(object, "fluence", in->fluence);
    bad |= cli_put_number(object, "flux", beam ? in->flux : (double)NAN);
    bad |= cli_put_number(object, "natural_hours", beam ? in->fluence / in->flux : (double)NAN);
    bad |=
        cli_put_number(object, "confidence", beam || at->campaign ? in->confidence : (double)NAN);
    bad |= cli_put_number(object, "raw_fit_mbit", in->raw);
    bad |= put_whole(object, "bits", in->bits);
    bad |= cli_put_count(object, "stored_bits", at->stored);
    bad |= cli_put_interval(object, "pvf", "value", &at->pvf);
    bad |= cli_put_number(object, "sigma", at->sigma);
    bad |= cli_put_interval(object, "fit", "value", &at->fit);
    bad |= cli_put_interval(object, "ratio", "value", &at->ratio);
    bad |= cli_put_number(object, "hours", in->hours);
    bad |= cli_put_number(object, "scrub_hours", in->scrub);
    bad |= put_whole(object, "words", in->words);
    bad |= put_whole(object, "word_bits", in->word_bits);
    bad |= cli_put_interval(object, "mission", "probability", &at->mission);
    bad |= cli_put_number(object, "seconds", cli_seconds() - at->start);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static void print_interval(FILE *file, const char *name, const stoic_interval *interval,
                           const char *unit) {
    if (isnan(interval->value) && isnan(interval->low))
        return;
    fprintf(file, "%-14s ", name);
    if (isnan(interval->value))
        fputs("unknown", file);
    else
        fprintf(file, "%.6g", interval->value);
    if (!isnan(interval->low))
        fprintf(file, " [%.6g, %.6g]", interval->low, interval->high);
    fprintf(file, "%s\n", unit);
}

static void print_result(FILE *file, const result *at) {
    const numbers *in = &at->in;
    if (at->form == BEAM) {
        double hours = in->fluence / in->flux;
        fprintf(file, "events         %.15g in %.6g particles/cm²\n", in->events, in->fluence);
        fprintf(file, "natural        %.6g hours, %.6g years, at %.6g particles/cm²/h\n", hours,
                hours / 8766.0, in->flux);
        fprintf(file, "cross-section  %.6g cm²\n", at->sigma);
    } else {
        fprintf(file, "raw rate       %.6g FIT/Mbit\n", in->raw);
    }
    if (at->campaign) {
        fprintf(file, "campaign       %s, ", at->campaign);
        cli_put_plain(file, at->fault);
        fputc('\n', file);
    }
    if (in->bits > 0.0)
        fprintf(file, "bits           %.15g", in->bits);
    if (at->stored >= 0 && in->bits < (double)at->stored)
        fprintf(file, " of the %lld stored", (long long)at->stored);
    if (in->bits > 0.0)
        fputc('\n', file);
    print_interval(file, at->campaign ? "critical rate" : "PVF", &at->pvf, "");
    print_interval(file, "FIT", &at->fit, " failures in 10^9 hours");
    print_interval(file, "ratio", &at->ratio, " times the other rate");
    if (at->form == BEAM || at->campaign)
        fprintf(file, "confidence     %.6g\n", in->confidence);
    if (at->form == SCRUBBED)
        fprintf(file, "memory         %.15g words of %.15g bits, scrubbed every %.6g hours\n",
                in->words, in->word_bits, in->scrub);
    if (in->hours >= 0.0)
        fprintf(file, "mission        %.6g hours\n", in->hours);
    print_interval(file, at->form == SCRUBBED ? "two in a word" : "fails", &at->mission,
                   " (probability)");
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    const stoic_interval none = {NAN, NAN, NAN};
    result at = {
        .stored = -1, .sigma = NAN, .pvf = none, .fit = none, .ratio = none, .mission = none};
    cli_output output = {.file = NULL};
    at.start = cli_seconds();
    stoic_status status = compute(set, call, &at, err);
    if (status == STOIC_OK)
        status = cli_output_open(&output, set->common.output, set->common.format, err);
    if (status != STOIC_OK)
        return status;
    if (output.format == CLI_JSON)
        status = cli_output_json(&output, result_object(&at), err);
    else if (output.format == CLI_CSV)
        status = cli_output_flat(&output, result_object(&at), err);
    else
        print_result(output.file, &at);
    return cli_output_close(&output, status, err);
}

const cli_verb cli_verb_fit = {
    .name = "fit",
    .arguments = "--events N --fluence F | --raw-fit-mbit R [RUN.db]",
    .summary = "failures in 10^9 hours, from a beam or a campaign",
    .text =
        "From a beam: cross-section, FIT with an exact Poisson interval, and the ratio to another "
        "device. From a memory's raw rate: raw FIT per 10^6 bits x bits x PVF, the latter two as "
        "--bits and --pvf or from a campaign file. Taken from the file are critical_rate with its "
        "interval (what a detector caught is not in it) and the bits that its faults were "
        "drawn from; each trial must flip one stored bit (flips:1, exhaustive). --hours adds the "
        "probability of a failure in that time. --scrub-hours is for a code that corrects one "
        "error a word: the probability that a word collects two upsets between two scrubs.",
    .examples = {"stoic fit --events 37 --fluence 6.5e10 --against 12,6.5e10",
                 CLI_EXAMPLE_RUN "\n  stoic fit run.db --raw-fit-mbit 500 --hours 87660"},
    .options = options,
    .settings_size = sizeof(settings),
    .run = run,
};
