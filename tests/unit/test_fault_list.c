#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault_fixture.h"

static char list_path[64];

static void write_list(const char *text, size_t size) {
    FILE *file = fopen(list_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static stoic_fault *make_list(const stoic_store *store, const char *keys, const char *text) {
    char spec[128];
    write_list(text, strlen(text));
    snprintf(spec, sizeof spec, "list:%s%s", list_path, keys);
    return make(store, spec);
}

static void assert_hit(const stoic_hits *hits, size_t i, int entry, int64_t word, int bit) {
    assert_true(i < hits->count);
    assert_int_equal(hits->items[i].entry, entry);
    assert_int_equal(hits->items[i].word, word);
    assert_int_equal(hits->items[i].bit, bit);
    assert_int_equal(hits->items[i].action, STOIC_FLIP);
}

static void a_list_names_its_sites(void **state) {
    (void)state;
    stoic_hits hits = {0};
    stoic_fault *fault = make_list(weights, "",
                                   "\xEF\xBB\xBF"
                                   "bit,layer,index\r\n30,0,17\r\n\r\n"
                                   "1,\"head\",2;1\n0,conv1,1;0;2;2");
    assert_int_equal(stoic_fault_trials(fault), 3);
    assert_int_equal(stoic_fault_max_trials(fault), 3);
    assert_int_equal(stoic_fault_population(fault), 3);
    assert_false(stoic_fault_is_ordered(fault));
    draw(fault, 0, &hits);
    assert_int_equal(hits.count, 1);
    assert_hit(&hits, 0, 0, 17, 30);
    draw(fault, 1, &hits);
    assert_hit(&hits, 0, 2, 7, 1);
    draw(fault, 2, &hits);
    assert_hit(&hits, 0, 0, 17, 0);
    assert_int_equal(stoic_fault_draw(fault, 3, &hits, NULL), STOIC_ERR_ARGUMENT);
    stoic_fault_free(fault);

    fault = make_list(full, "", "trial,layer,index,bit\n1,3,0,5\n0,1,63,31\n1,0,4,2\n1,3,0,4\n");
    assert_int_equal(stoic_fault_trials(fault), 2);
    draw(fault, 0, &hits);
    assert_int_equal(hits.count, 1);
    assert_hit(&hits, 0, 2, 63, 31);
    draw(fault, 1, &hits);
    assert_int_equal(hits.count, 3);
    assert_hit(&hits, 0, 0, 4, 2);
    assert_hit(&hits, 1, 3, 0, 4);
    assert_hit(&hits, 2, 3, 0, 5);
    stoic_fault_free(fault);

    fault = make_list(full, ",tensor=bias", "layer,index,bit\n3,2,9\n");
    draw(fault, 0, &hits);
    assert_hit(&hits, 0, 4, 2, 9);
    stoic_fault_free(fault);
    stoic_hits_deinit(&hits);
}

/* What `analyze sensitivity --format csv` writes: the bits that a row names, or all of its weight
 * that may be hit, each a trial. */
static void a_ranking_is_a_list(void **state) {
    (void)state;
    stoic_hits hits = {0};
    static const char head[] =
        "layer,name,tensor,channel,index,bit,trials,critical_rate,low,high,share,cumulative\n";
    char text[512];
    snprintf(text, sizeof text,
             "%s3,head,bias,,2,9,1,0.5,0,1,1,1\n0,conv1,weight,1,17,30,1,0,0,1,0,1\n", head);
    stoic_fault *fault = make_list(full, "", text);
    assert_int_equal(stoic_fault_trials(fault), 2);
    draw(fault, 0, &hits);
    assert_hit(&hits, 0, 4, 2, 9);
    draw(fault, 1, &hits);
    assert_hit(&hits, 0, 0, 17, 30);
    stoic_fault_free(fault);

    stoic_store *guarded = NULL;
    assert_int_equal(stoic_store_create(model, "fp32,protect=30", &guarded, NULL), STOIC_OK);
    snprintf(text, sizeof text, "%s0,,weight,,4,,1,0.5,0,1,1,1\n0,,weight,,3,,1,0,0,1,0,1\n", head);
    fault = make_list(guarded, "", text);
    assert_int_equal(stoic_fault_trials(fault), 2 * 31);
    for (int trial = 0; trial < 62; trial++) {
        int bit = trial % 31;
        draw(fault, trial, &hits);
        assert_int_equal(hits.count, 1);
        assert_hit(&hits, 0, 0, trial < 31 ? 4 : 3, bit < 30 ? bit : 31);
    }
    stoic_fault_free(fault);
    stoic_store_free(guarded);
    stoic_hits_deinit(&hits);
}

/* The canonical text holds the content's digest: a file that has changed is noticed. */
static void a_list_that_changed_is_noticed(void **state) {
    (void)state;
    stoic_fault *fault = make_list(weights, "", "layer,index,bit\n0,0,0\n"), *again = NULL;
    stoic_error err = {0};
    char text[256];
    snprintf(text, sizeof text, "%s", stoic_fault_text(fault));
    assert_non_null(strstr(text, ",tensor=weight,digest="));
    stoic_fault_free(fault);
    fault = make(weights, text);
    assert_string_equal(stoic_fault_text(fault), text);
    stoic_fault_free(fault);
    fault = make_list(weights, "", "layer,index,bit\n0,0,1\n");
    assert_string_not_equal(stoic_fault_text(fault), text);
    stoic_fault_free(fault);
    assert_int_equal(stoic_fault_create(weights, text, 7, &again, &err), STOIC_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "has changed"));
}

static void a_path_with_a_comma_is_escaped(void **state) {
    (void)state;
    char plain[48], spec[96];
    snprintf(plain, sizeof plain, "%.47s", list_path);
    snprintf(list_path, sizeof list_path, "%s,b", plain);
    write_list("layer,index,bit\n0,0,0\n", 22);
    snprintf(spec, sizeof spec, "list:%s\\,b", plain);
    stoic_fault *fault = make(weights, spec), *again = make(weights, stoic_fault_text(fault));
    assert_string_equal(stoic_fault_text(again), stoic_fault_text(fault));
    stoic_fault_free(fault);
    stoic_fault_free(again);
    unlink(list_path);
    snprintf(list_path, sizeof list_path, "%s", plain);
}

static const struct {
    const char *text, *says;
} bad[] = {
    {"", "is empty"},
    {"\n\r\n", "is empty"},
    {"layer,index\n0,0\n", "line 1: no column 'bit'"},
    {"layer,index,bit,colour\n0,0,0,0\n", "found 'colour'"},
    {"layer,index,bit,bit\n0,0,0,0\n", "named twice"},
    {"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y\n", "too many fields"},
    {"layer,index,bit\n", "has no site"},
    {"layer,index,bit\n0,0\n", "line 2: 2 fields, the header has 3"},
    {"layer,index,bit\n0,0,0\n0,0,0,0\n", "line 3: 4 fields"},
    {"layer,index,bit\n0,0,0\n\n4,0,0\n", "line 4: layer: expected"},
    {"layer,index,bit\nconv2,0,0\n", "line 2: layer: the model has no layer 'conv2'"},
    {"layer,index,bit\n2,0,0\n", "line 2: the layer stores no such tensor"},
    {"layer,index,bit\n0,18,0\n", "line 2: index: expected a position in a tensor of shape "
                                  "2x1x3x3, found '18'"},
    {"layer,index,bit\n0,-1,0\n", "line 2: index"},
    {"layer,index,bit\n0,,0\n", "line 2: index"},
    {"layer,index,bit\n0,1e0,0\n", "line 2: index"},
    {"layer,index,bit\n0,99999999999999999999,0\n", "line 2: index"},
    {"layer,index,bit\n0,0;0;0,0\n", "found '0;0;0'"},
    {"layer,index,bit\n0,0;0;0;3,0\n", "found '0;0;0;3'"},
    {"layer,index,bit\n0,0;0;0;0;0,0\n", "found '0;0;0;0;0'"},
    {"layer,index,bit\n0,0,32\n", "line 2: bit: expected 0 to 31, found '32'"},
    {"layer,index,bit\n0,0,sign\n", "line 2: bit: expected 0 to 31"},
    {"layer,index,bit\n0,0,0x1\n", "line 2: bit"},
    {"layer,index,bit,tensor\n0,0,0,bn\n", "line 2: tensor: expected weight or bias, found 'bn'"},
    {"layer,index,bit,tensor\n0,0,0,bias\n", "line 2: the layer stores no such tensor"},
    {"layer,index,bit,share\n0,,,1\n", "line 2: index"},
    {"layer,index,bit,trial\n0,0,,0\n", "line 2: bit"},
    {"layer,index,bit,trial\n0,0,0,x\n", "line 2: trial"},
    {"layer,index,bit,trial\n0,0,0,1\n", "trial 1, but trial 0 has no line"},
    {"layer,index,bit,trial\n0,0,0,0\n0,0,1,2\n", "line 3: trial 2, but trial 1"},
    {"layer,index,bit,trial\n0,0,3,0\n0,0,1,0\n0,0;0;0;0,3,0\n",
     "line 4: the same bit as in line 2"},
};

static void a_bad_list_is_refused_with_its_line(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char spec[96];
        stoic_fault *fault = NULL;
        stoic_error err = {0};
        write_list(bad[i].text, strlen(bad[i].text));
        snprintf(spec, sizeof spec, "list:%s", list_path);
        stoic_status status = stoic_fault_create(weights, spec, 7, &fault, &err);
        if (status != STOIC_ERR_FORMAT || !strstr(err.message, bad[i].says))
            fail_msg("list %zu gives %s: %s", i, stoic_status_name(status), err.message);
        assert_string_equal(err.place, list_path);
        assert_null(fault);
    }
    char spec[96];
    stoic_fault *fault = NULL;
    stoic_error err = {0};
    stoic_store *guarded = NULL;
    write_list("layer,index,bit\n0,0,0\0\n", 23);
    snprintf(spec, sizeof spec, "list:%s", list_path);
    assert_int_equal(stoic_fault_create(weights, spec, 7, &fault, &err), STOIC_ERR_FORMAT);
    assert_non_null(strstr(err.message, "zero byte at offset 21"));
    assert_int_equal(stoic_store_create(model, "fp32,protect=sign", &guarded, NULL), STOIC_OK);
    write_list("layer,index,bit\n0,0,31\n", 23);
    assert_int_equal(stoic_fault_create(guarded, spec, 7, &fault, &err), STOIC_ERR_FORMAT);
    assert_non_null(strstr(err.message, "protect"));
    stoic_store_free(guarded);
}

static int set_up(void **state) {
    const char *folder = getenv("TMPDIR");
    snprintf(list_path, sizeof list_path, "%s/stoic-list-XXXXXX", folder ? folder : "/tmp");
    int file = mkstemp(list_path);
    return file < 0 || close(file) || make_stores(state);
}

static int tear_down(void **state) {
    unlink(list_path);
    return free_stores(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_names_its_sites),
        cmocka_unit_test(a_ranking_is_a_list),
        cmocka_unit_test(a_list_that_changed_is_noticed),
        cmocka_unit_test(a_path_with_a_comma_is_escaped),
        cmocka_unit_test(a_bad_list_is_refused_with_its_line),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
