# Outcomes, engines, looks at a margin, kept images, campaigns that go on.

campaign() { # FILE OPTIONS...
    campaign_file=$1
    shift
    stoic inject $LENET --data fashion-mnist --images 0-499 "$@" -o "$campaign_file" >summary
}
column() { # RUN.db NAME: the column of its records
    stoic records "$1" --format csv | awk -F, -v name="$2" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next } { print $at }'
}

for nan in strict argmax; do
    many='flips:1,bits=30 set:nan'
    [ $nan = argmax ] || many="$many flips:10 ber:1e-4 random,n=3"
    for faults in $many; do
        name="$faults $nan"
        rm -f ./*.db
        campaign all.db --fault $faults --trials 30 --nan $nan --outcomes all
        stoic records all.db --format csv | awk -F, '
            NR > 1 && $12 + $13 + $14 + $15 != $8 { bad = 1; print }
            END { exit bad || NR < 31 }' >log ||
            fail "$name: outcomes add up to the images" 'they do not' log
        campaign full.db --fault $faults --trials 30 --nan $nan --outcomes all --engine full
        bytes full.db >full.text
        same "$name: both engines, all outcomes" full.text all.db
        campaign auto.db --fault $faults --trials 30 --nan $nan
        campaign slow.db --fault $faults --trials 30 --nan $nan --engine full
        bytes slow.db >slow.text
        same "$name: both engines" slow.text auto.db
        # What both measure is the same: correct, critical, due, nan.
        for file in all auto; do
            stoic records $file.db --format csv | cut -d, -f1-12,15- >$file.common
        done
        cmp -s all.common auto.common && pass "$name: critical does not depend on --outcomes" ||
            fail "$name: critical does not depend on --outcomes" 'it does'
    done
done
column auto.db masked | grep -q . && fail 'what was not measured is empty' 'it is not' ||
    pass 'what was not measured is empty'

# --margin: stops at ceil(100 * 1.5^k) complete trials, at the same look whatever the threads, and
# the estimate is that of a campaign of so many trials.
for threads in 1 2; do
    campaign margin$threads.db --fault flips:1,bits=30 --margin 0.05 --threads $threads \
        --format json
    mv summary margin$threads.json
done
stopped() { $PYTHON - "$@" <<'END'
import json, sys
one, two = (json.load(open(name)) for name in sys.argv[1:])
looks = [-(-100 * 3**k // 2**k) for k in range(20)]
assert one["stopped"] == "margin", one["stopped"]
assert one["trials"] in looks, one["trials"]
rate = one["critical_rate"]
assert (rate["high"] - rate["low"]) / 2 <= 0.05, rate
for key in ("trials", "critical_rate", "accuracy", "drop", "stopped"):
    assert one[key] == two[key], (key, one[key], two[key])
END
}
check '--margin stops at a look, the same for 1 and 2 threads' stopped margin1.json margin2.json
trials=$($PYTHON -c 'import json; print(json.load(open("margin1.json"))["trials"])')
campaign fixed.db --fault flips:1,bits=30 --trials "$trials"
bytes fixed.db >expected
bytes margin1.db | head -n $((trials + 1)) >prefix
head -n $((trials + 1)) expected | cmp -s - prefix && pass 'trials up to the look are the same' ||
    fail 'trials up to the look are the same' 'they are not'
campaign capped.db --fault flips:1 --margin 0.000001 --max-trials 130 --format json
grep -q '"stopped": "max-trials"' summary && pass '--max-trials stops' ||
    fail '--max-trials stops' 'it does not' summary
refuse '--margin with --shard' shard stoic inject $LENET --data fashion-mnist --fault flips:1 \
    --margin 0.1 --shard 1/2 -o no.db
refuse 'a margin goes on with a margin only' '--margin' stoic inject $LENET --data fashion-mnist \
    --images 0-499 --fault flips:1 --trials 200 -o capped.db

# A campaign continued, again and again, is the campaign of so many trials from the start.
campaign whole.db --fault flips:2 --trials 333
bytes whole.db >expected
for trials in 1 2 65 64 200 333; do
    campaign more.db --fault flips:2 --trials $trials --threads $((trials % 2 + 1))
done
same 'continued six times' expected more.db
campaign more.db --fault flips:2 --trials 10
same 'fewer trials asked for: nothing is lost' expected more.db

# --keep images: bitmaps whose counts are those of the records.
campaign kept.db --fault flips:5 --trials 30 --keep images
campaign plain.db --fault flips:5 --trials 30
bytes plain.db >expected
same '--keep images changes no record' expected kept.db
kept() { $PYTHON - <<'END'
import sqlite3
db = sqlite3.connect("kept.db")
ones = lambda blob: sum(bin(byte).count("1") for byte in blob or b"")
for trial, correct, critical, nan in db.execute("SELECT trial, correct, critical, nan FROM trials"):
    rows = db.execute("SELECT images, correct, critical, nan FROM outcomes WHERE trial = ?", (trial,))
    sums = [sum(column) for column in zip(*((r[0], *map(ones, r[1:])) for r in rows))]
    assert sums == [500, correct, critical, nan], (trial, sums, correct, critical, nan)
END
}
check '--keep images keeps every image' kept
refuse '--keep images of too many' '1 GiB' stoic inject $LENET --data fashion-mnist \
    --fault flips:1 --trials 1000000 --keep images -o no.db

# One image a trial: the image is named, and alone it gives the record.
campaign one.db --fault flips:1,bits=30,layer=0 --trials 60 --images-per-trial 1 --outcomes all
column one.db image | awk '$1 < 0 || $1 > 499 { bad = 1 } END { exit bad || NR != 60 }' &&
    pass 'the image of a trial is named' || fail 'the image of a trial is named' 'it is not'
campaign one_full.db --fault flips:1,bits=30,layer=0 --trials 60 --images-per-trial 1 \
    --outcomes all --engine full --threads 1 --memory 64M
bytes one_full.db >expected
same 'one image a trial: both engines' expected one.db
for images in 7 499 500 auto; do
    rm -f few*.db
    campaign few.db --fault flips:3 --trials 20 --images-per-trial $images --outcomes all
    campaign few_full.db --fault flips:3 --trials 20 --images-per-trial $images --outcomes all \
        --engine full --threads 1
    bytes few_full.db >expected
    same "$images images a trial: both engines" expected few.db
done

# Every trial can be replayed, with the same result.
replayed() {
    for trial in 0 7 19; do
        stoic replay few.db --trial $trial | tail -n 1 | grep -qx 'identical to the record' ||
            return 1
    done
}
check 'replayed' replayed
