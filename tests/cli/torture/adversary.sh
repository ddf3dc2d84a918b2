# Option values nobody means, and combinations that must not give a silent wrong result.

$PYTHON - <<'END'
import numpy as np
np.save("images.npy", np.random.RandomState(3).randint(0, 256, (50, 1, 28, 28)).astype(np.uint8))
np.save("labels.npy", np.arange(50) % 10)
END
few=npy:images.npy,labels.npy
base="$LENET --data $few"
odd() { # CULPRIT OPTIONS...
    culprit=$1
    shift
    refuse "inject $*" "$culprit" stoic inject $base -o odd.db "$@"
    [ -e odd.db ] && { fail "inject $*: no file stays" ''; rm -f odd.db; }
}
for fault in flips flips: flips:0 flips:-1 flips:1e9 flips:132421 flips:nan flips:1.5 flips:1,1 \
    flips:1,layer= flips:1,layer=5 flips:1,layer=-1 flips:1,layer=none flips:1,bits=32 \
    flips:1,bits=30- flips:1,layer=3-1 flips:1,bits= flips:1,tensor=bias flips:1,tensor=x flips:1,n=2 \
    flips:1,layer=0,layer=1 ber ber:2 ber:-1 ber:nan ber:inf ber:1:2 ber:0.1:0.1:0.1 \
    stuck0:1 stuck1,n=0 stuck1,n=99999999 stuck1,n=99999999999999999999 set set:x set:1e39 \
    zero,n=-1 random,n=1e10 mbu mbu:0 mbu:65 mbu:33 mbu:4,distance=32 mbu:2,distance=0 \
    exhaustive:1 exhaustive,n=2 list list: list:none.csv '' , = :; do
    odd "fault|flips|ber|stuck|set|zero|random|mbu|exhaustive|list|layer|bits|tensor|distance|n:|spec|key" \
        --fault "$fault"
done

# Lists of faults from other tools.
list() { # CULPRIT TEXT
    printf "$2" >bad.csv
    odd "$1" --fault list:bad.csv
}
list 'bad.csv.*(empty|header|column|layer)' ''
list 'bad.csv.*(column|layer|index|bit)' 'a,b,c\n1,2,3\n'
list 'bad.csv' 'layer,index,bit\n'
list 'bad.csv.*2.*layer' 'layer,index,bit\n9,0,0\n'
list 'bad.csv.*2.*index' 'layer,index,bit\n0,500,0\n'
list 'bad.csv.*3.*bit' 'layer,index,bit\n0,0,0\n0,0,32\n'
list 'bad.csv.*2' 'layer,index,bit\n0,0\n'
list 'bad.csv.*2' 'layer,index,bit\n0,0,x\n'
list 'bad.csv.*2' 'layer,index,bit\n0,-1,0\n'
list 'bad.csv.*2' 'layer,index,bit\n0,0,99999999999999999999\n'
list 'bad.csv' 'layer,index,bit,trial\n0,0,0,-1\n'
list 'bad.csv' 'layer,index,bit\n\001\377\n'

odd '--threads' --fault flips:1 --threads 0
odd '--threads' --fault flips:1 --threads -1
odd '--threads' --fault flips:1 --threads 99999999999
odd '--memory' --fault flips:1 --memory -5M
odd '--memory' --fault flips:1 --memory lots
odd '--trials' --fault flips:1 --trials 0
odd '--trials' --fault flips:1 --trials 1e300
odd '--margin' --fault flips:1 --margin 0
odd '--margin' --fault flips:1 --margin 1
odd '--margin' --fault flips:1 --margin nan
odd '--confidence' --fault flips:1 --confidence 95
odd '--seed' --fault flips:1 --seed -1
odd '--seed' --fault flips:1 --seed 99999999999999999999
odd '--shard' --fault flips:1 --shard 1/0
odd '--shard' --fault flips:1 --shard 1/-2
odd '--shard' --fault flips:1 --shard 1/
odd '--shard' --fault flips:1 --shard /
odd '--engine' --fault flips:1 --engine fast
odd '--fault' --fault flips:1 --fault
odd 'only one model' --fault flips:1 another.onnx

# Extremes that are allowed.
works() { # OPTIONS...
    rm -f works.db*
    check "inject $*" timeout $LIMIT stoic inject $base -o works.db "$@"
}
stoic inject $base --fault flips:1 --trials 6 -o plain.db >/dev/null
bytes plain.db >expected
works --fault flips:1 --trials 6 --threads 300
same '300 threads' expected works.db
works --fault flips:1 --trials 6 --memory 1
same '1 byte of memory' expected works.db
works --fault flips:1 --trials 6 --memory 1000T
same '1000T of memory' expected works.db
stoic inject $base --fault flips:1 --trials 6 --threads 10000 -o many.db >many.out 2>many.err
status=$?
if [ $status -eq 0 ]; then
    same '10000 threads' expected many.db
else
    refuse '10000 threads' 'thread' stoic inject $base --fault flips:1 --threads 10000 -o many.db
fi
works --fault ber:0 --trials 3
stoic records works.db --format csv | awk -F, 'NR > 1 && $12 { exit 1 }' &&
    pass 'no flip, nothing critical' || fail 'no flip, nothing critical' ''
works --fault ber:1,layer=0 --trials 2
works --fault flips:132420 --trials 1
works --fault zero,n=132420 --trials 1 --outcomes all
works --fault mbu:32 --trials 2
works --fault flips:1 --trials 3 --seed 9223372036854775807
works --fault flips:1 --fault flips:1 --fault flips:1 --trials 3
# The same fault twice must not cancel: two draws, not one drawn twice.
works --fault flips:1,layer=0,bits=30 --fault flips:1,layer=0,bits=30 --trials 20
stoic records works.db --sites --format csv | cut -d, -f1,3,6,7 | sort | uniq -d | grep -q . &&
    fail 'two equal faults are two draws' '' || pass 'two equal faults are two draws'
# More trials than there are faults: every fault once, and it says so.
works --fault exhaustive,layer=0,bits=31 --trials 99999 --format json
grep -q '"stopped": "exhausted"' log && pass 'exhausted' || fail 'exhausted' '' log
stoic records works.db --sites --format csv | cut -d, -f6 | tail -n +2 | sort -n | uniq | wc -l |
    grep -qx 500 && pass 'every fault once' || fail 'every fault once' ''
works --fault flips:1,layer=0,bits=31 --trials 99999
stoic records works.db --sites --format csv | cut -d, -f6 | tail -n +2 | sort -n | uniq | wc -l |
    grep -qx 500 && pass 'every flip once' || fail 'every flip once' ''

# More shards than trials: most are empty, together they are the campaign.
shards=''
for part in 1 2 3 4 5 6 7 8 9; do
    stoic inject $base --fault flips:1 --trials 6 --shard $part/9 -o shard$part.db >/dev/null
    shards="$shards shard$part.db"
done
check 'merge of nine shards' stoic merge -o merged.db $shards
same 'nine shards of six trials' expected merged.db
for part in 1 3; do
    stoic inject $base --fault flips:1 --trials 100 --shard $part/3 -o third$part.db >/dev/null
done
stoic merge -o gap.db third1.db third3.db >/dev/null 2>gap.err
grep -q '^stoic: warning: gap.db: trials [0-9]*-[0-9]* are missing$' gap.err &&
    pass 'a gap is said' || fail 'a gap is said' '' gap.err
refuse 'overlap' 'another file holds too|twice' stoic merge -o over.db shard1.db shard1.db
[ -e over.db ] && fail 'overlap: no file' '' || pass 'overlap: no file'
stoic inject $base --fault flips:1 --trials 6 --seed 5 --shard 2/9 -o foreign.db >/dev/null
refuse 'merge of two campaigns' 'seed' stoic merge -o over.db shard1.db foreign.db

# File names that shells and SQLite take for something else.
for file in 'a b' "it's" 'x"y' 'per%20cent?mode=ro#frag' ':memory:' 'file:uri' '-dash' 'new
line' "$(printf '\351t\351')"; do
    rm -f ./"$file"
    check "named '$(printf %s "$file" | tr '\n\351' '__')'" stoic inject $base --fault flips:1 \
        --trials 6 -o "./$file"
    same "named '$(printf %s "$file" | tr '\n\351' '__')': records" expected "./$file"
done
stoic inject $base --fault flips:1 --trials 6 -o :memory: >/dev/null
[ -s :memory: ] && pass 'a file called :memory:' || fail 'a file called :memory:' "$(ls)"
long=$(printf %0300d 0)
refuse 'a name that is too long' 'File name too long' stoic inject $base --fault flips:1 -o "$long"
refuse 'a model name that is too long' 'File name too long' stoic info "$long"

# What is read is not written over.
cp plain.db kept.db
cp $LENET kept.onnx
ln -s kept.db link.db
refuse 'records onto itself' 'kept.db: .*overwritten' stoic records kept.db -o kept.db
refuse 'records onto itself by a link' 'link.db: .*overwritten' stoic records kept.db -o link.db
refuse 'report onto itself' 'kept.db: .*overwritten' stoic report plain.db kept.db -o kept.db
refuse 'replay onto itself' 'kept.db: .*overwritten' stoic replay kept.db --trial 1 -o kept.db
refuse 'merge onto itself' 'kept.db: exists' stoic merge kept.db -o kept.db
refuse 'info onto the model' 'kept.onnx: .*overwritten' stoic info kept.onnx -o kept.onnx
refuse 'eval onto the model' 'kept.onnx: .*overwritten' stoic eval kept.onnx --data $few \
    -o kept.onnx
refuse 'logits onto the model' 'kept.onnx: .*overwritten' stoic eval kept.onnx \
    --data $few --logits kept.onnx
cmp -s kept.db plain.db && cmp -s kept.onnx $LENET && pass 'nothing was written over' ||
    fail 'nothing was written over' "$(ls -l)"
check 'info --set in place' stoic info kept.onnx --set mean=0.3 -o kept.onnx
check 'and it still is a model' stoic info kept.onnx
