# `records --sites` names each hit bit: the same bits flipped in the ONNX file give the same counts.
# Every fault model and every key once.

by_hand() { # TRIALS FAULT OPTIONS...: repeats that many trials of the campaign
    by_hand_trials=$1 fault=$2
    shift 2
    rm -f by_hand.db*
    stoic inject $LENET --data fashion-mnist --images 300-599 --fault "$fault" "$@" \
        -o by_hand.db >/dev/null && stoic records by_hand.db --format csv -o records.csv &&
        stoic records by_hand.db --sites --format csv -o sites.csv &&
        $PYTHON "$FOLDER/flip_by_hand.py" $LENET 300 599 "$by_hand_trials" <sites.csv
}

printf 'layer,index,bit,trial\n4,7,30,0\n0,3,31,0\n2,90,28,1\n' >list.csv
check 'by hand: flips:1' by_hand 4 flips:1,bits=exponent --trials 4 --outcomes all
check 'by hand: flips:10' by_hand 2 flips:10,layer=1-3 --trials 2 --outcomes all
check 'by hand: ber' by_hand 2 ber:1e-4 --trials 2 --outcomes all
check 'by hand: ber one way' by_hand 2 ber:1e-3:0,layer=4 --trials 2
check 'by hand: exhaustive' by_hand 3 exhaustive,layer=4,bits=exponent-msb --trials 3
check 'by hand: stuck0' by_hand 2 stuck0,n=30,bits=23-30 --trials 2 --outcomes all
check 'by hand: stuck1' by_hand 2 stuck1,n=2,bits=exponent --trials 2 --outcomes all
check 'by hand: set' by_hand 2 set:3.5,layer=0+4 --trials 2 --outcomes all
check 'by hand: set:nan' by_hand 1 set:nan,layer=0 --trials 1 --outcomes all
check 'by hand: random' by_hand 2 random,n=20 --trials 2 --outcomes all
check 'by hand: zero' by_hand 2 zero,n=500,layer=1 --trials 2 --outcomes all
check 'by hand: mbu' by_hand 2 mbu:4,distance=2,bits=all --trials 2 --outcomes all
check 'by hand: bias' by_hand 2 flips:1,tensor=bias,bits=30 --trials 2 \
    --store fp32,include=weight+bias --outcomes all
check 'by hand: list' by_hand 2 list:list.csv --outcomes all
check 'by hand: engine full' by_hand 2 flips:3 --trials 2 --outcomes all --engine full

# A site that is named wrongly, or a count that is one off, is noticed.
by_hand 2 flips:1,bits=30,layer=0 --trials 2 >/dev/null 2>&1
sed -n '1,2s/,30,data/,29,data/;1,2p' sites.csv >wrong.csv
if $PYTHON "$FOLDER/flip_by_hand.py" $LENET 300 599 1 <wrong.csv >log 2>&1; then
    fail 'by hand: a wrong bit is noticed' 'it is not'
else
    pass 'by hand: a wrong bit is noticed'
fi
awk -F, -v OFS=, 'NR > 1 { $12++ } 1' records.csv >off.csv && mv off.csv records.csv
if $PYTHON "$FOLDER/flip_by_hand.py" $LENET 300 599 1 <sites.csv >log 2>&1; then
    fail 'by hand: a wrong count is noticed' 'it is not'
else
    pass 'by hand: a wrong count is noticed'
fi
