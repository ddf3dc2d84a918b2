run="stoic inject M.onnx --data mnist --fault flips:1 -o r.db"
$run --by layers; echo $?
$run --keep logits; echo $?
$run --sampling stratified; echo $?
$run --margin 0.01 --trials 5; echo $?
$run --margin 0.01 --shard 1/2; echo $?
$run --max-trials 10; echo $?
$run --shard 3/2; echo $?
$run --shard 0/2; echo $?
$run --shard two; echo $?
$run --images-per-trial some; echo $?
