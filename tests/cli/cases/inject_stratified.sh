# A pilot, strata, and what says so; going on with a narrower margin; what cannot be stratified.
run="stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 200 --images-per-trial 1"
run="$run --sampling stratified"
$run --fault flips:1 --margin 0.03 -o r.db | grep -v '^time'
$run --fault flips:1 --margin 0.02 --by layer -o r.db | grep -v '^time'
stoic records r.db --format csv | sed -n '1p;2p;300p' | cut -d, -f1-4,7-9,12,17
stoic replay r.db --trial 300 | sed -n '2p;$p'
stoic analyze sensitivity r.db; echo $?
$run --fault flips:1 --margin 0.02 --sampling simple -o r.db; echo $?
$run --fault flips:1 --trials 500 -o no.db; echo $?
$run --fault flips:1 -o no.db; echo $?
$run --fault flips:1 --trials 2000 --shard 1/2 -o no.db; echo $?
for fault in ber:1e-4 flips:2 mbu:2 random exhaustive op:flip; do
    $run --fault $fault --trials 2000 -o no.db; echo $?
done
ls
