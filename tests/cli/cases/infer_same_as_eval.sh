# Under every code and format: as many right as eval has, on the whole test set.
model=models/lenet5-fashion-mnist.onnx
for store in fp32 fp16,code=tmr bf16,code=secded39,scale=max:1.9999 affine:5,code=msb3 affine:3,code=msb3 \
    int8,code=secded72 int8,code=zerospace64 int8,code=rep:3 q2.5,code=parity64 fp16,scale=pow2,rescale=logits; do
    stoic store $model --store $store -o f.stw >/dev/null || exit 1
    mine=$(stoic infer f.stw --data fashion-mnist --batch 250 | grep correct)
    theirs=$(stoic eval $model --store $store --data fashion-mnist | grep correct)
    case $mine in "$theirs"*) echo "$store: $theirs" ;; *) echo "$store: $mine, eval: $theirs" ;; esac
done
