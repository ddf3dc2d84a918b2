#include "campaign/schema.h"

#define CROWDS                                                                                     \
    "CREATE TABLE IF NOT EXISTS crowds(trial INTEGER PRIMARY KEY, sites INTEGER NOT NULL,"         \
    " layer INTEGER NOT NULL);"

const char stoic_crowds_schema[] = CROWDS;

/* An exhaustive campaign has millions of trials: a row of `trials` takes about 17 bytes, NULL
 * costs one, and what few campaigns measure lies in tables of its own. */
const char stoic_campaign_schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL, identity INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE layers(layer INTEGER PRIMARY KEY, name TEXT, op TEXT, weights INTEGER,"
    " macs INTEGER);"
    "CREATE TABLE entries(entry INTEGER PRIMARY KEY, layer INTEGER, role TEXT, name TEXT,"
    " shape TEXT, words INTEGER, word_bits INTEGER, first_bit INTEGER);"
    "CREATE TABLE golden(id INTEGER PRIMARY KEY, images INTEGER, top1 BLOB, correct BLOB);"
    "CREATE TABLE chunks(chunk INTEGER PRIMARY KEY, trials INTEGER NOT NULL);"
    "CREATE TABLE journal(chunk INTEGER, block INTEGER, first INTEGER, trials INTEGER,"
    " counts BLOB, PRIMARY KEY(chunk, block)) WITHOUT ROWID;"
    "CREATE TABLE trials(trial INTEGER PRIMARY KEY, correct INTEGER, critical INTEGER,"
    " nan INTEGER, due INTEGER, image INTEGER);"
    "CREATE TABLE more(trial INTEGER PRIMARY KEY, masked INTEGER, tolerable INTEGER,"
    " sdc5 INTEGER, sdc10 INTEGER, sdc20 INTEGER);"
    "CREATE TABLE sites(trial INTEGER, ordinal INTEGER, entry INTEGER, word INTEGER,"
    " \"index\" INTEGER, bit INTEGER, action INTEGER, role INTEGER, before REAL, after REAL,"
    " PRIMARY KEY(trial, ordinal)) WITHOUT ROWID;" CROWDS
    "CREATE TABLE spans(trial INTEGER PRIMARY KEY, entry INTEGER, word INTEGER, words INTEGER,"
    " mask INTEGER, stored BLOB);"
    "CREATE TABLE strata(layer INTEGER, bit INTEGER, trials INTEGER, images INTEGER,"
    " correct INTEGER, critical INTEGER, nan INTEGER, masked INTEGER, tolerable INTEGER,"
    " due INTEGER, sdc5 INTEGER, sdc10 INTEGER, sdc20 INTEGER, correct2 INTEGER,"
    " critical2 INTEGER, correct_min INTEGER, correct_max INTEGER, PRIMARY KEY(layer, bit))"
    " WITHOUT ROWID;"
    "CREATE TABLE outcomes(trial INTEGER, block INTEGER, images INTEGER, critical BLOB,"
    " correct BLOB, nan BLOB, PRIMARY KEY(trial, block)) WITHOUT ROWID;"
    "CREATE TABLE upsets(trial INTEGER, image INTEGER, ordinal INTEGER, layer INTEGER,"
    " kind INTEGER, \"index\" INTEGER, step INTEGER, steps INTEGER, bit INTEGER,"
    " elements INTEGER, before REAL, after REAL, PRIMARY KEY(trial, image, ordinal))"
    " WITHOUT ROWID;"
    "CREATE VIEW trial_view AS SELECT trial, image,"
    " (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'trial_images') AS images,"
    " correct, critical, nan, masked, tolerable, due, sdc5, sdc10, sdc20"
    " FROM trials LEFT JOIN more USING(trial);"
    "CREATE VIEW site_view AS SELECT trial, ordinal, layer, entries.role AS tensor, name, word,"
    " \"index\", bit, action, before, after FROM sites JOIN entries USING(entry);"
    "CREATE VIEW stratum_view AS SELECT layer, name, bit, trials, 1.0 * correct / images AS"
    " accuracy, 1.0 * critical / images AS critical_rate FROM strata LEFT JOIN layers USING(layer)"
    " WHERE layer >= -1;";

const char stoic_campaign_schema_code[] =
    "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
    " OR (type = 'table' AND rootpage = 0)" /* a virtual one */
    " OR (type = 'view' AND lower(name) IN ('meta', 'layers', 'entries', 'golden', 'chunks',"
    " 'journal', 'trials', 'more', 'sites', 'spans', 'strata', 'outcomes', 'upsets', 'crowds'))";
