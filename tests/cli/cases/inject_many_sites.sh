# Trials with more than 10,000 hit bits: their sites are counted, and kept only where asked for.
model=models/lenet5-fashion-mnist.onnx
inject() { # FAULT FILE OPTIONS...
    fault=$1 file=$2
    shift 2
    stoic inject $model --data fashion-mnist --images 10 --fault "$fault" --trials 2 --quiet \
        -o "$file" "$@" >summary
}
inject ber:1e-2 whole.db
stoic records whole.db --sites
inject ber:1e-2 kept.db --keep sites
stoic records kept.db --sites --format csv | wc -l
stoic records whole.db >whole
stoic records kept.db | diff whole - && echo 'the same trials'

# Over several blocks of images, and alone in full.
stoic inject $model --data fashion-mnist --images 600 --fault ber:1e-2 --store affine:5 --trials 2 \
    --quiet -o blocks.db >summary
stoic replay blocks.db --trial 1 --format json | grep -o '"identical": [a-z]*'

# Where all lie in one layer, the layer is known; merged shards know it too.
inject ber:1e-2,layer=conv2 layer.db
for part in 1 2; do
    inject ber:1e-2,layer=conv2 part$part.db --shard $part/2
done
stoic merge -o merged.db part1.db part2.db >merged 2>&1
stoic records layer.db --format csv >layer
stoic records merged.db --format csv | diff layer - && cut -d, -f1-4 layer
stoic analyze sensitivity layer.db --quiet | tail -2
stoic analyze sensitivity layer.db --by weight
stoic inject $model --data fashion-mnist --images 10 --fault ber:1e-2 --trials 4 --keep sites -o whole.db
stoic inject $model --data fashion-mnist --fault flips:1 --keep images,all -o no.db
