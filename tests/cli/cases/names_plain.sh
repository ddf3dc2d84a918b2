# Names in a stranger's files reach no terminal with the characters that steer it. (The digits and
# letters of the names are of the same length as what they replace, so the files stay whole.)
escape=$(printf '\033[31m')
LC_ALL=C sed "s/conv1/$escape/g; s/lenet5/x$escape/g" models/lenet5-fashion-mnist.onnx >own.onnx
data='--data fashion-mnist --images 100'
{
    stoic info own.onnx --bits sign
    stoic store own.onnx --store int8,code=secded72 -o own.stw
    stoic infer own.stw $data --fault ber:1e-4
    stoic inject own.onnx $data --fault flips:1,layer=0 --trials 20 --by layer -o run.db
    stoic records run.db
    stoic replay run.db --trial 3
    stoic harden own.onnx --pass relu6 -o hard.onnx
    stoic analyze sensitivity run.db
} >all 2>&1
grep -c '?\[31m' all
tr -d '\n\040-\176' <all | wc -c
ln -s own.onnx run.db-lock
stoic inject own.onnx $data --fault flips:1,layer=0 --trials 30 -o run.db
cmp -s own.onnx run.db-lock && rm run.db-lock
ls
