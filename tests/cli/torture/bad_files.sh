# Campaign files that are not, or belong to another campaign; disks that are full; folders that
# cannot be written.

base="$LENET --data fashion-mnist --images 0-99"
inject="stoic inject $base"
unchanged() { # NAME FILE COPY: the same bytes and nothing beside it
    cmp -s "$2" "$3" && [ ! -e "$2-wal" ] && [ ! -e "$2-lock" ] && pass "$1: the file is as it was" ||
        fail "$1: the file is as it was" "$(ls)"
}
same_rows() { # NAME RUN.db COPY: the same tables (SQLite counts openings in its header)
    sqlite3 "$2" .dump >dump.one && sqlite3 "$3" .dump | cmp -s - dump.one &&
        [ ! -e "$2-wal" ] && [ ! -e "$2-lock" ] || fail "$1: the file is as it was" "$(ls)"
}

$inject --fault flips:1 --trials 20 -o run.db >/dev/null
cp run.db copy.db
bytes copy.db >expected
another() { # NAME CULPRIT OPTIONS...: options of another campaign
    another_name=$1 culprit=$2
    shift 2
    refuse "another $another_name" "run.db: .*$culprit" stoic inject "$@" -o run.db
    same_rows "another $another_name" run.db copy.db
}
another fault fault $base --fault flips:2
another seed seed $base --fault flips:1 --seed 7
another model model models/lenet5-avgpool.onnx --data fashion-mnist --images 0-99 --fault flips:1
another 'range of images' data_digest $LENET --data fashion-mnist --images 1-100 --fault flips:1
another 'data set' data_digest $LENET --data fashion-mnist:train --images 0-99 --fault flips:1
another preprocessing data_digest $base --mean 0.5 --fault flips:1
another 'NaN rule' nan $base --nan argmax --fault flips:1
another 'set of outcomes' outcomes $base --outcomes all --fault flips:1
another 'images per trial' 'images' $base --images-per-trial 5 --fault flips:1
another shard shard $base --shard 1/2 --fault flips:1
another store store $base --store fp32,include=weight+bias --fault flips:1
another 'second fault' fault $base --fault flips:1 --fault flips:1


# Not campaign files at all.
sqlite3 foreign.db 'CREATE TABLE t(x); INSERT INTO t VALUES(42)'
sqlite3 empty_table.db 'CREATE TABLE meta(key TEXT, value TEXT); PRAGMA user_version = 1'
head -c 3000 /dev/urandom >noise.db
echo 'this is a text' >text.db
cp models/README.md readme.db
for kind in foreign empty_table noise text readme; do
    cp $kind.db $kind.copy
    refuse "inject -o: $kind" "$kind.db: not a campaign file" $inject --fault flips:1 -o $kind.db
    refuse "records: $kind" "$kind.db: not a campaign file" stoic records $kind.db
    refuse "merge: $kind" "$kind.db: not a campaign file" stoic merge -o all.db run.db $kind.db
    refuse "report: $kind" "$kind.db: not a campaign file" stoic report $kind.db -o r.html
    refuse "replay: $kind" "$kind.db: not a campaign file" stoic replay $kind.db --trial 0
    unchanged $kind $kind.db $kind.copy
done
[ -e all.db ] || [ -e r.html ] && fail 'nothing half-made' "$(ls)" || pass 'nothing half-made'
mkdir folder.db
mkfifo fifo.db
for verb in "records" "report -o r.html" "replay --trial 0"; do
    refuse "$verb: a folder" 'folder.db' stoic $verb folder.db
    refuse "$verb: missing" 'none.db.*No such file' stoic $verb none.db
    refuse "$verb: a pipe" 'fifo.db' stoic $verb fifo.db
    refuse "$verb: /dev/zero" '/dev/zero' stoic $verb /dev/zero
done
refuse 'inject -o: a folder' 'folder.db' $inject --fault flips:1 -o folder.db
refuse 'inject -o: a pipe' 'fifo.db' $inject --fault flips:1 -o fifo.db
refuse 'inject -o: /dev/full' '/dev/full' $inject --fault flips:1 -o /dev/full
refuse 'inject -o: the model' 'lenet.onnx: not a campaign file' \
    sh -c "cp $LENET lenet.onnx && stoic inject lenet.onnx --data fashion-mnist --fault flips:1 -o lenet.onnx"
cmp -s $LENET lenet.onnx && pass 'the model is as it was' || fail 'the model is as it was' ''
refuse 'merge into a part' 'run.db' stoic merge -o run.db run.db
same_rows 'merge into a part' run.db copy.db

# A campaign file cut short or overwritten: a clear line or the truth, never a crash.
damaged=0
for at in 0 16 18 60 100 1000 4096 4100 9000 20000; do
    size=$(wc -c <copy.db)
    [ $at -lt "$size" ] || continue
    head -c $at copy.db >cut.db
    survive "campaign file cut at $at" stoic records cut.db --sites || continue
    { head -c $at copy.db; head -c 64 /dev/urandom; tail -c +$((at + 65)) copy.db; } >bent.db
    for verb in 'records' 'records --sites' 'report -o bent.html' 'replay --trial 3'; do
        survive "campaign file bent at $at: $verb" stoic $verb bent.db && damaged=$((damaged + 1))
    done
    survive "campaign file bent at $at: inject" $inject --fault flips:1 --trials 30 -o bent.db
done
[ $damaged -ge 20 ] && pass 'damaged campaign files survive' ||
    fail 'damaged campaign files survive' $damaged

# A full disk.
mkdir disk
if mount -t tmpfs -o size=700k tmpfs disk 2>/dev/null; then
    mounted="$PWD/disk"
    # Slow enough to be committed several times before the disk is full.
    long="stoic inject $LENET --data fashion-mnist --images 0-499 --fault flips:10 --trials 3000"
    refuse 'full disk: inject' 'disk/run.db: .*(full|space)' $long -o disk/run.db
    kept=$(stoic records disk/run.db --format csv | wc -l)
    [ "$kept" -gt 1 ] && pass 'full disk: what was committed is kept' ||
        fail 'full disk: what was committed is kept' "$kept lines"
    $long -o whole.db >/dev/null
    bytes whole.db >expected.full
    cp disk/run.db moved.db
    [ -e disk/run.db-wal ] && cp disk/run.db-wal moved.db-wal
    $long -o moved.db >/dev/null
    same 'full disk: goes on elsewhere to the same bytes' expected.full moved.db
    head -c 700k /dev/zero >disk/filler 2>/dev/null
    refuse 'full disk: a new file' 'disk/new.db: .*(full|space)' $inject --fault flips:1 -o disk/new.db
    refuse 'full disk: going on' 'disk/run.db: .*(full|space)' $long \
        -o disk/run.db
    refuse 'full disk: merge' 'disk/all.db.*(full|space)' stoic merge -o disk/all.db copy.db
    refuse 'full disk: records' 'disk/r.csv: .*No space' stoic records whole.db -o disk/r.csv
    refuse 'full disk: report' 'disk/r.html: .*No space' stoic report copy.db -o disk/r.html
    refuse 'full disk: new' 'disk/n.onnx: .*No space' stoic new lenet5 -o disk/n.onnx
    refuse 'full disk: logits' 'disk/l.npy: .*No space' stoic eval $LENET --data fashion-mnist \
        --logits disk/l.npy
    refuse 'full disk: info --set' 'disk/m.onnx: .*No space' stoic info $LENET --set mean=0 \
        -o disk/m.onnx
    ls disk | grep -vE '^(run.db(-wal|-shm)?|filler)$' >left
    [ -s left ] && fail 'full disk: nothing half-made' '' left || pass 'full disk: nothing half-made'
    umount disk && mounted=''
else
    echo "# no small disk can be mounted here: cases/small_files.sh limits the size of files"
fi

# A folder that cannot be written, for one who is not root.
if [ "$(id -u)" -eq 0 ]; then
    as_other='setpriv --reuid 65534 --regid 65534 --clear-groups'
else
    as_other=''
fi
chmod 755 "$work" "$PWD"
mkdir -m 555 locked
mkdir -m 777 open
cp $LENET locked/net.onnx
cp copy.db locked/run.db
cp models/lenet5-avgpool.onnx locked/hidden.onnx && chmod 000 locked/hidden.onnx
other() { refuse "$1" "$2" $as_other sh -c "$3"; }
other 'locked folder: inject' 'locked/new.db: .*Permission denied' \
    "stoic inject $LENET --data fashion-mnist --images 9 --fault flips:1 -o locked/new.db"
other 'locked folder: going on' 'locked/run.db: .*Permission denied' \
    "stoic inject $base --fault flips:1 --trials 30 -o locked/run.db"
few="$LENET --data fashion-mnist --images 20"
for command in "new lenet5" "report copy.db" "records copy.db" "info $LENET --set mean=0" \
    "harden $LENET --pass relu6" "store $LENET --store fp16" "eval $few" "attack $few --flips 1" \
    "train $few --epochs 1 --batch 10 --test none" "compare $few --fault flips:1 --with pass:relu6" \
    "explore $few --store affine:{M} --all" "replay copy.db --trial 1" "plan $LENET"; do
    other "locked folder: ${command%% *}" 'locked/x.out: .*Permission denied' \
        "stoic $command -o locked/x.out"
done
other 'locked folder: logits' 'locked/x.npy: .*Permission denied' "stoic eval $few --logits locked/x.npy"
other 'locked folder: a checkpoint' 'locked/x: .*Permission denied' \
    "stoic train $few --epochs 1 --batch 10 --test none -o open/x.onnx --checkpoint locked/x"
other 'locked folder: campaigns of a study' 'locked/x: .*Permission denied' \
    "stoic explore $few --store affine:{M} --all --keep locked/x"
other 'locked folder: merge' 'locked/x.db.*Permission denied' 'stoic merge copy.db -o locked/x.db'
other 'no permission to read' 'locked/hidden.onnx: .*Permission denied' 'stoic info locked/hidden.onnx'
check 'a campaign file in a locked folder can be read' $as_other stoic records locked/run.db

# Output that goes nowhere.
for verb in 'info models/lenet5-avgpool.onnx' 'records copy.db' 'records copy.db --sites --format csv' \
    'records copy.db --format json' "eval $base" 'replay copy.db --trial 1' 'help' 'inject --help'; do
    refuse "$verb >/dev/full" 'standard output: .*No space' sh -c "exec stoic $verb >/dev/full"
    refuse "$verb >&-" 'standard output: .*Bad file' sh -c "exec stoic $verb >&-"
done
refuse 'records -o /dev/full' '/dev/full: .*No space' stoic records copy.db -o /dev/full
refuse 'inject >/dev/full' 'standard output: .*No space' \
    sh -c "exec stoic inject $base --fault flips:1 --trials 20 -o run.db >/dev/full"
same 'inject >/dev/full: the campaign is kept' expected run.db
stoic info nowhere.onnx 2>&-
[ $? -eq 1 ] && pass 'closed stderr' || fail 'closed stderr' ''

# Two at once: one writes, the other says who does.
$inject --fault ber:1e-5 --trials 3000 -o busy.db >/dev/null 2>&1 &
until [ -e busy.db-lock ]; do sleep 0.01; done
refuse 'two writers' 'busy.db: .*written by process' $inject --fault ber:1e-5 -o busy.db
kill -INT $!
wait $!
