# ONNX files that are broken, and those that are only strange.

mkdir files && (cd files && ln -s ../models models && $PYTHON "$FOLDER/make_models.py") ||
    fail 'bad models are made' 'they are not'
cd files || exit 2

few=npy:images.npy,labels.npy
evaluate() { stoic eval "$@" --data $few; }
check 'good model' evaluate good.onnx
check 'external data' evaluate external.onnx

bad() { # FILE CULPRIT
    refuse "eval $1" "$2" stoic eval "$1.onnx" --data $few
}
bad empty 'empty.onnx: .*empty'
for i in 0 1 2 3 4 5 6 7; do
    bad truncated$i "truncated$i.onnx: not a(n ONNX model| whole ONNX file): "
    bad random$i "random$i.onnx: not an? (whole )?ONNX file: .*byte"
    bad huge$i "huge$i.onnx: .* claims [0-9]+ bytes, 50 are left"
done
bad nested 'nested.onnx: '
bad external_missing "nowhere.bin.*gemm.weight.*No such file"
bad external_parent "gemm.weight.*'../outside.bin' lies outside the model's folder"
bad external_absolute "gemm.weight.*weights.bin' lies outside the model's folder"
bad external_device "gemm.weight.*'/dev/zero' lies outside"
bad external_link "gemm.weight.*link.bin.*out of the model's folder"
bad external_short "gemm.weight.*'short.bin' has 8640"
bad external_offset "gemm.weight.*offset 4611686018427387904"
bad external_negative "gemm.weight.*offset '-4'"
bad external_length "gemm.weight.*length 17"
bad external_folder "folder.bin.*not a regular file"
bad external_empty "gemm.weight"
bad cycle "relu.*cycle"
bad self_loop "relu.*cycle"
bad missing_input "relu.*'nothing' is missing"
bad missing_constant "gemm.*'gemm.weight' is missing"
bad twice_made "'c' is already defined"
bad no_nodes "'logits' is computed by no node"
bad no_output "'logits' is computed by no node"
bad unknown_operator "relu.*Frobnicate"
bad unknown_domain "relu.*org.nowhere.Relu"
bad no_operator "relu"
bad two_outputs "relu.*2 outputs"
bad zero_stride "pool.*strides"
bad huge_kernel "pool.*kernel_shape"
bad negative_pads "pool.*pads"
bad wrong_attribute "pool.*kernel_shape.*string"
bad shape_conv "conv.*3x2x5x5.*do not fit"
bad shape_kernel "conv.*50 does not fit"
bad shape_gemm "gemm.*10x400.*do not fit"
bad shape_bias "gemm.*7 and 1x10 do not fit"
bad giga_input "conv"
bad giga_square "conv.*too large"
bad giga_pooled "GlobalAveragePool.*1x1x31623x31623.*too large"
bad overflow_input "'image'.*1099511627776"
bad negative_input "'image'"
bad zero_input "'image'"
bad free_size "'image'.*symbolic: H"
bad weights_few "gemm.weight.*17276 bytes, expected 17280"
bad weights_many "gemm.weight.*17284 bytes, expected 17280"
bad weights_odd "gemm.weight.*17279 bytes, expected 17280"
bad weights_none "gemm.weight.*0 elements, expected 4320"
bad weights_negative "gemm.weight.*negative or too large"
bad weights_overflow "gemm.weight.*negative or too large"
bad weights_type "gemm.weight.*type 8"
bad weights_unknown_type "gemm.weight.*type 99"

# NaN weights are data: a warning for each tensor says where, and that is all.
nan_weights() {
    evaluate weights_nan.onnx >nan.out 2>nan.err || return 1
    printf '%s\n' "stoic: warning: weights 'conv.weight': 1 NaN value, the first at index 38" \
        "stoic: warning: weights 'gemm.weight': 1 NaN value, the first at index 1735" |
        diff - nan.err
}
check 'NaN weights: a warning that says where' nan_weights
nan_campaign() {
    stoic inject weights_nan.onnx --data $few --fault flips:3 --trials 20 \
        --outcomes all -o nan.db && stoic inject weights_nan.onnx --data $few \
        --fault flips:3 --trials 20 --outcomes all --engine full -o nan_full.db &&
        bytes nan_full.db >nan.text && bytes nan.db | diff nan.text -
}
check 'NaN weights: a campaign, both engines' nan_campaign
check 'infinite weights' evaluate weights_inf.onnx

# What is no file at all.
mkfifo pipe.onnx
(exec timeout 5 sh -c 'cat good.onnx >pipe.onnx') &
check 'a model through a pipe' evaluate pipe.onnx
wait
for verb in info eval; do
    options=''
    [ $verb = eval ] && options="--data $few"
    refuse "$verb: a folder as model" 'folder.bin.*directory' stoic $verb folder.bin $options
    refuse "$verb: no such model" 'nowhere.onnx.*No such file' stoic $verb nowhere.onnx $options
    refuse "$verb: /dev/null as model" '/dev/null.*empty' stoic $verb /dev/null $options
    refuse "$verb: a file as folder" 'good.onnx/x.*Not a directory' stoic $verb good.onnx/x $options
done
refuse 'a name with an escape sequence' 'no\?\[31m' stoic info "$(printf 'no\033[31m.onnx')"

# One byte changed: it may still be a model, but nothing may break.
mutants=0
for file in mutants/*.onnx; do
    survive "mutant $file" timeout 20 stoic eval "$file" --data $few &&
        mutants=$((mutants + 1))
done
[ $mutants -gt 50 ] && pass 'mutants survive' || fail 'mutants survive' "$mutants"
for file in "$CORPUS"/onnx/*; do
    survive "corpus $(basename "$file")" stoic info "$file" --bits all
done
pass 'the corpus of the fuzzer survives'
