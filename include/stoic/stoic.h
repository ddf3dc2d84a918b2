/*
 * Stoic: what bit flips do to neural networks, and how to make networks stand them.
 * This header includes all others, in the order of the story: a model is read, labelled
 * images are opened, the model runs, its weights lie in a store, faults hit the store, a
 * campaign measures what happens, records tell it and a report shows it.
 */
#ifndef STOIC_H
#define STOIC_H

#include "stoic/attack.h"
#include "stoic/beam.h"
#include "stoic/budget.h"
#include "stoic/campaign.h"
#include "stoic/cluster.h"
#include "stoic/compare.h"
#include "stoic/dataset.h"
#include "stoic/explore.h"
#include "stoic/fault.h"
#include "stoic/feed.h"
#include "stoic/harden.h"
#include "stoic/infer.h"
#include "stoic/map_fault.h"
#include "stoic/metrics.h"
#include "stoic/model.h"
#include "stoic/op_fault.h"
#include "stoic/parse.h"
#include "stoic/plan.h"
#include "stoic/records.h"
#include "stoic/report.h"
#include "stoic/sensitivity.h"
#include "stoic/session.h"
#include "stoic/stats.h"
#include "stoic/status.h"
#include "stoic/store.h"
#include "stoic/study.h"
#include "stoic/tensor.h"
#include "stoic/train.h"
#include "stoic/version.h"

#endif
