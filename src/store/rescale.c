/* Undoing the scales elsewhere than in the weights: at the logits, or folded. */
#include "base/fail.h"
#include "store/layout.h"

stoic_status stoic_store_rescale(const stoic_store *store, stoic_model *decoded, stoic_model **out,
                                 stoic_error *err) {
    (void)store, (void)decoded;
    *out = NULL;
    return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "", "rescale is not supported yet");
}
