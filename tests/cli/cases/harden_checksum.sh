net=models/lenet5-fashion-mnist.onnx
for pass in abft abed; do
    stoic harden $net --pass $pass -o $pass.onnx | grep -v '^time'
    stoic eval $pass.onnx --data fashion-mnist --images 500 --format json | grep -E '"(correct|nan|alarms)"'
    stoic eval $pass.onnx --data fashion-mnist --images 100 --store fp16 --format csv | cut -d, -f3-7
    stoic inject $pass.onnx --data fashion-mnist --images 200 --fault flips:1,layer=conv2,bits=30 --trials 6 -o $pass.db | grep -E 'critical|due'
    stoic inject $pass.onnx --data fashion-mnist --images 200 --fault op:random --trials 100 --images-per-trial 1 -o $pass-op.db | grep -E 'masked|critical|due'
    stoic replay $pass.db --trial 0 | tail -12
done
stoic info abft.onnx | tail -13 | cut -c1-40
stoic harden abft.onnx --pass abed -o again.onnx | head -4
stoic harden abft.onnx --pass tmr -o no.onnx; echo $?
stoic train abft.onnx --data fashion-mnist --epochs 1 -o no.onnx; echo $?
