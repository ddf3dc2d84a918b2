/* The page: facts, tables, figures with their captions. Everything it needs is in it. */
#ifndef STOIC_REPORT_PAGE_H
#define STOIC_REPORT_PAGE_H

#include "report/figure.h"
#include "report/notes.h"

/* A page is XML as well as HTML, so that xmllint can check it. */
void stoic_page_write(const stoic_loaded_runs *runs, const stoic_figures *figures,
                      const stoic_notes *notes, const char *title, stoic_text *out);

/* What all campaigns of a part share, and what they found. */
void stoic_page_facts(const stoic_loaded_runs *runs, int part, stoic_text *out);
void stoic_page_layers(const stoic_loaded_runs *runs, int part, stoic_text *out);
void stoic_page_campaigns(const stoic_loaded_runs *runs, int part, stoic_text *out);

#endif
