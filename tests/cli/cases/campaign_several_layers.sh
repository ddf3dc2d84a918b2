# Trials that hit several layers are in no row: the table and the JSON say how many.
run="stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 10 --trials 20
    --fault flips:2 --seed 3 -o run.db --quiet"
count='import json, sys
data = json.load(sys.stdin)
print(data["several_layers"], data["trials"] - sum(g["trials"] for g in data["groups"]))'
$run --by layer | sed '1,/^$/d'
$run --by layer,bit | tail -1
$run --by layer --format json | python3 -c "$count"
$run --by layer,bit --format json | python3 -c "$count"
$run --by layer --format csv | cut -d, -f1-4
stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 10 --trials 20 \
    --fault ber:1e-7 -o rate.db --by layer --quiet | tail -1
