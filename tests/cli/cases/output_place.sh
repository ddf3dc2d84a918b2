# Where -o cannot be written, it is said before anything is computed.
net=models/lenet5-fashion-mnist.onnx
data="--data fashion-mnist --images 10000"
for verb in 'new lenet5' "harden $net --pass relu6" "store $net --store fp16 $data" "eval $net $data" \
    "attack $net $data --flips 3" "explore $net $data --store affine:{M} --all" \
    "compare $net $data --fault flips:1 --trials 100000 --with pass:relu6" "plan $net" "info $net --set mean=0"; do
    timeout 5 stoic $verb -o none/x; echo $?
done
timeout 5 stoic eval $net $data --logits none/x; echo $?
# A campaign is not written over.
stoic inject $net --data fashion-mnist --images 10 --fault flips:1 --trials 5 -o run.db >/dev/null
cp run.db kept.db
for verb in 'new lenet5' "harden $net --pass relu6" "store $net --store fp16" "eval $net $data" 'new --list' \
    "attack $net $data --flips 3" 'records kept.db' 'report kept.db' "info $net --set mean=0" \
    "train $net --data fashion-mnist --epochs 1"; do
    timeout 5 stoic $verb -o run.db; echo $?
done
cmp run.db kept.db && echo kept
# Everything else is, through a symbolic link too, and keeps its permissions.
echo text >file
chmod 640 file
ln -s file link
stoic records run.db --format csv -o link
stoic records run.db --format csv | cmp - file && [ -L link ] && stat -c %a file
stoic new lenet5 -o link >/dev/null
stoic info file >/dev/null && [ -L link ] && stat -c %a file
ls
