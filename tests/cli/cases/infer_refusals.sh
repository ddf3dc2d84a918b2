stoic store models/lenet5-fashion-mnist.onnx --store affine:5,code=msb3 -o f.stw >/dev/null
stoic infer f.stw; echo $?
stoic infer f.stw --data fashion-mnist --activations int8; echo $?
stoic infer f.stw --data fashion-mnist --fault flips:3; echo $?
stoic infer f.stw --data fashion-mnist --fault ber:2; echo $?
stoic infer models/lenet5-fashion-mnist.onnx --data fashion-mnist; echo $?
head -c 60000 f.stw >g.stw; stoic infer g.stw --data fashion-mnist; echo $?
(head -c 200 f.stw; printf x; tail -c +202 f.stw) >g.stw; stoic infer g.stw --data fashion-mnist; echo $?
# an altered word is what the code is for
(head -c 40000 f.stw; printf '\125\252\125\252'; tail -c +40005 f.stw) >g.stw
stoic infer g.stw --data fashion-mnist --images 100 | grep -v preproc
