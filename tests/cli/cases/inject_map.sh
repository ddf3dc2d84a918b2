# Faults in feature maps: a trial is a pass over the images, or one image. Values before and after
# are sums, whose last digits differ from processor to processor: they are left out.
run="stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 40 --quiet"
$run --fault map:block --trials 5 -o pass.db
stoic records pass.db
stoic records pass.db --sites --format csv | cut -d, -f1-10 | sed -n 1,4p
stoic replay pass.db --trial 2 | grep -v becomes | tail -13
$run --fault map:single,value=flip:exponent --images-per-trial 1 --trials 60 --by layer -o one.db
stoic records one.db --format csv | cut -d, -f1-4,7- | sed -n 1,4p
stoic records one.db --sites --format csv | cut -d, -f1-10,13 | sed -n 1,4p
stoic replay one.db --trial 1 --format json | grep -o '"identical": [a-z]*'
$run --fault flips:1 --fault map:mix,share=0.5 --trials 4 -o both.db --format json | grep -o '"fault": "[^"]*"'
stoic records both.db --sites --format csv | cut -d, -f1-10 | sed -n 1,3p
stoic replay both.db --trial 0 | sed -n 1,2p
stoic report one.db -o one.html && echo drawn
