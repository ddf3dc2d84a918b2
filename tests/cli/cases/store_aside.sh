# the weights that hold most of the harm lie aside: a ranking as a store, and as a fault list
fault=exhaustive,layer=fc3,bits=exponent-msb+24
data="--data fashion-mnist --images 20 --quiet"
model=models/lenet5-fashion-mnist.onnx
stoic inject $model $data --fault $fault -o all.db | grep critical
stoic analyze sensitivity all.db --by weight --cover 0.5,0.9
stoic analyze sensitivity all.db --by weight --cover 0.9 --format csv -o worst.csv
mkdir lists && cp worst.csv lists
stoic store $model --store fp16,aside=lists/worst.csv/0=int8 | sed -n '2,9p;/layer/,$p'
stoic store $model --store affine:5,code=secded72,aside=worst.csv --format json | tr , '\n' | grep -E '"(sparse|aside_bits|side_bits)"'
stoic inject $model $data --fault $fault --store fp32,aside=worst.csv -o spared.db | grep -E 'store|trials|critical '
stoic replay spared.db --trial 5 | tail -1
stoic inject $model $data --fault list:worst.csv --store fp32,protect=0-29 -o list.db | grep -E 'fault|trials'
stoic inject $model $data --fault ber:1e-3 --trials 2 --store int8,code=zerospace64,aside=worst.csv -o ber.db | grep trials
stoic explore $model $data --store 'affine:{M},aside=worst.csv' --width 5 --trials 1 --ber 1e-4 --all --format csv |
    sed 's/,digest=[0-9a-f]*//' | cut -d, -f2-5
stoic explore $model $data --store 'affine:{M},code=msb3,aside=worst.csv' --width 4-5 --trials 1 --ber 1e-4 \
    --budget 700k; echo $?
stoic compare $model $data --fault flips:1 --trials 2 --with store:fp32,aside=worst.csv --format json |
    tr , '\n' | grep bits
echo "a change of the file, a list and a layer that lie aside, and what means nothing"
stoic inject $model $data --fault list:worst.csv --store fp32,aside=worst.csv -o no.db; echo $?
stoic analyze sensitivity all.db --by layer --format csv -o layers.csv
stoic store $model --store fp32,aside=layers.csv; echo $?
stoic inject $model $data --fault list:layers.csv -o no.db; echo $?
stoic store $model --store fp16,scale=pow2,rescale=fold,aside=worst.csv; echo $?
stoic store $model --store fp32/0=fp16,aside=worst.csv; echo $?
stoic store $model --store fp32,digest=00; echo $?
stoic store $model --store fp32,aside=absent.csv; echo $?
sed -i 2d worst.csv
stoic inject $model $data --fault $fault --store fp32,aside=worst.csv -o spared.db; echo $?
stoic replay spared.db --trial 5; echo $?
stoic records spared.db | sed -n '1,2p'
