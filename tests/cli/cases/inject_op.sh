# Faults in operations: one image a trial. Sums are left out: their last digits differ from
# processor to processor.
run="stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 40 --quiet"
$run --fault op:zero --trials 60 --by position -o zero.db
stoic records zero.db --format csv | cut -d, -f1-4,7- | sed -n 1,4p
stoic records zero.db --sites --format csv | cut -d, -f1-10,13 | sed -n 1,4p
stoic replay zero.db --trial 1 | grep -v becomes
$run --fault op:warp-zero,layer=0 --trials 3 --by layer --format csv -o warp.db | cut -d, -f1-4
stoic records warp.db --sites --format csv | cut -d, -f1-10 | sed -n '2,4p;$p'
$run --fault op:flip,bits=30 --images-per-trial all --trials 2 -o all.db | grep -E 'trials|critical'
stoic replay all.db --trial 1 --format json | grep -o '"identical": [a-z]*'
$run --fault op:flop -o no.db; echo $?
$run --fault op:zero,bits=3 -o no.db; echo $?
$run --fault op:flip --fault map:line -o no.db; echo $?
$run --fault op:flip --by position,layer -o no.db; echo $?
