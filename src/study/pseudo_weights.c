#include "study/pseudo_weights.h"

#include "base/fail.h"
#include "model/graph.h"

/* Each the double nearest to its decimal. */
#define TEN(a)                                                                                     \
    (a) / 100.0, ((a) + 1) / 100.0, ((a) + 2) / 100.0, ((a) + 3) / 100.0, ((a) + 4) / 100.0,       \
        ((a) + 5) / 100.0, ((a) + 6) / 100.0, ((a) + 7) / 100.0, ((a) + 8) / 100.0,                \
        ((a) + 9) / 100.0
static const double values[STOIC_PSEUDO_WEIGHTS] = {TEN(-50), TEN(-40), TEN(-30), TEN(-20),
                                                    TEN(-10), TEN(0),   TEN(10),  TEN(20),
                                                    TEN(30),  TEN(40),  0.5};
#undef TEN

const double *stoic_pseudo_weights(void) {
    return values;
}

stoic_status stoic_pseudo_model(stoic_model **out, stoic_error *err) {
    static const char *const in[] = {"x", "weights"}, *const logits = "logits";
    const stoic_shape input = {2, {1, STOIC_PSEUDO_WEIGHTS}},
                      shape = {2, {STOIC_PSEUDO_WEIGHTS, 1}};
    stoic_status status = STOIC_OK;
    stoic_builder *b = NULL;
    stoic_tensor *tensor = NULL;
    TRY(stoic_tensor_create(STOIC_F32, &shape, &tensor, err));
    float *data = stoic_tensor_mutable_data(tensor);
    for (int i = 0; i < STOIC_PSEUDO_WEIGHTS; i++)
        data[i] = (float)values[i];
    TRY(stoic_builder_create("pseudo-weights", 17, &b, err));
    TRY(stoic_builder_input(b, "x", &input, err));
    TRY(stoic_builder_constant(b, "weights", tensor, err));
    TRY(stoic_builder_node(b, "weights", &stoic_op_mat_mul, NULL, 0, in, 2, &logits, 1, err));
    TRY(stoic_builder_output(b, "logits", err));
    status = stoic_builder_finish(b, out, err);
    b = NULL; /* finish frees it */
done:
    stoic_builder_free(b);
    stoic_tensor_free(tensor);
    return status;
}
