#!/bin/sh
# Campaigns by the processes that mpirun starts: the bytes of a single process, whatever happens to
# the ranks. Writes TAP; exit status 77: skipped.
#   sh tests/cluster/mpi.sh [STOIC]
here=$(cd "$(dirname "$0")" && pwd)
STOIC=${1:-$here/../../build/cli/stoic}
STOIC=$(cd "$(dirname "$STOIC")" && pwd)/$(basename "$STOIC")
LENET=$here/../../models/lenet5-fashion-mnist.onnx
skip() { echo "1..0 # SKIP $1"; exit 77; }
command -v mpirun >/dev/null || skip 'there is no mpirun (package openmpi-bin)'
"$STOIC" version | grep -q '^MPI  *none$' && skip 'stoic was built without MPI'
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
LC_ALL=C
# Tests run as root, on machines with fewer processors than ranks and without ssh.
OMPI_ALLOW_RUN_AS_ROOT=1
OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
OMPI_MCA_rmaps_base_oversubscribe=1
OMPI_MCA_plm_rsh_agent=sh
OMPI_MCA_btl_vader_single_copy_mechanism=none
export LC_ALL OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM OMPI_MCA_rmaps_base_oversubscribe \
    OMPI_MCA_plm_rsh_agent OMPI_MCA_btl_vader_single_copy_mechanism
# OpenMPI keeps memory to itself; libraries of others are not what is tested here.
ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
export ASAN_OPTIONS

passed=0 failed=0
pass() { passed=$((passed + 1)); echo "ok - $1"; }
fail() { # NAME [FILE]
    failed=$((failed + 1))
    echo "not ok - $1"
    [ -z "$2" ] || head -n 20 "$2" | sed 's/^/# /'
}
bytes() { "$STOIC" records "$1" --format csv && "$STOIC" records "$1" --sites --format csv; }
# The result without clocks and file names.
result() { grep -v -e '"seconds"' -e '"campaign"' "$1"; }
same() { # NAME EXPECTED RUN.db
    bytes "$3" >same.text 2>&1
    if cmp -s "$2" same.text; then pass "$1"; else fail "$1" same.text; fi
}
data="--data fashion-mnist --images 200"

# ---- the same bytes, with 1, 2 and 3 ranks ----

campaign() { # NAME OPTIONS...
    name=$1
    shift
    "$STOIC" inject "$LENET" $data "$@" --format json -o alone.db >alone.json 2>alone.err ||
        fail "$name" alone.err
    bytes alone.db >expected
    for n in 1 2 3; do
        if mpirun -n $n "$STOIC" inject "$LENET" $data "$@" --threads 1 --format json -o $n.db \
            >$n.json 2>$n.err; then
            same "$name, $n ranks: records" expected $n.db
            result alone.json >left
            result $n.json >right
            if cmp -s left right && ! [ -s $n.err ]; then
                pass "$name, $n ranks: one result, nothing else"
            else
                cat $n.json $n.err >why
                fail "$name, $n ranks: one result, nothing else" why
            fi
        else
            fail "$name, $n ranks" $n.err
        fi
    done
    rm -f ./*.db
}
campaign exhaustive --fault exhaustive,layer=0,bits=30
campaign sampled --fault flips:1 --trials 700 --keep images
campaign rates --fault ber:1e-5 --trials 150
campaign strata --fault flips:1 --sampling stratified --trials 1500
campaign 'strata, stopping' --fault flips:1 --sampling stratified --margin 0.004 --images-per-trial auto
campaign stopping --fault flips:1,bits=exponent --margin 0.02 --max-trials 5000
campaign maps --fault map:single --trials 40
campaign operations --fault op:flip --trials 1500
campaign shard --fault flips:1 --trials 500 --shard 2/3

# ---- ranks that die ----

lasting() { # TRIALS IMAGES FAULT...: the campaign that is disturbed below, and what it gives alone
    trials=$1 images=$2
    shift 2
    long="--data fashion-mnist --images $images --fault $* --trials $trials --engine full --threads 1"
    rm -f alone.db
    "$STOIC" inject "$LENET" $long -o alone.db >/dev/null
    bytes alone.db >expected
}

begin() { # RUN.db: three ranks in the background; returns when some trials are in the file
    mpirun -n 3 "$STOIC" inject "$LENET" $long -o "$1" >long.out 2>long.err &
    job=$!
    for i in $(seq 600); do
        [ -e "$1" ] && [ "$("$STOIC" records "$1" --format csv 2>/dev/null | wc -l)" -gt 9 ] && return
        sleep 0.05
    done
    fail "$1: no trial within 30 s" long.err
}
process() { # RANK: its process number
    for p in $(pgrep -P $job); do
        tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | grep -qx "OMPI_COMM_WORLD_RANK=$1" && echo "$p"
    done
}
part() { # NAME RUN.db: trials of the campaign, and not all of them
    bytes "$2" >part.text
    if grep -vxFf expected part.text >strange || [ "$(wc -l <part.text)" -ge "$(wc -l <expected)" ]; then
        fail "$1" strange
    else
        pass "$1"
    fi
}
disturb() { # RUN.db SIGNAL [RANK]: to mpirun or a rank, while the job runs; on a fast machine at the third go
    for attempt in 1 2 3; do
        rm -f "$1"*
        begin "$1"
        if [ -n "$3" ]; then target=$(process "$3"); else target=$job; fi
        [ -n "$target" ] && kill "-$2" "$target"
        wait $job
        status=$?
        [ "$("$STOIC" records "$1" --format csv | wc -l)" -le "$trials" ] && return
    done
}
killed() { # NAME RANK: killed, and the job started again with fewer
    disturb killed.db KILL $2
    [ $status -ne 0 ] && pass "$1, rank $2 is killed: the job ends" || fail "$1, rank $2 is killed" long.err
    part "$1, rank $2 is killed: what is done is kept" killed.db
    mpirun -n 2 "$STOIC" inject "$LENET" $long -o killed.db >/dev/null 2>again.err ||
        fail "$1, rank $2 is killed: started again" again.err
    same "$1, rank $2 is killed: started again, to the same bytes" expected killed.db
    rm -f killed.db*
}
lasting 1200 100 flips:1,layer=0-1 --sampling stratified
killed strata 2
lasting 500 300 ber:1e-5
killed rates 2
killed rates 0

disturb stopped.db INT
part 'SIGINT to mpirun: what is done is kept' stopped.db
[ -e stopped.db-lock ] && fail 'SIGINT to mpirun: no lock stays' long.err ||
    pass 'SIGINT to mpirun: no lock stays'
sed -n '/^to go on:/{n;p}' long.err >again
grep -q '^ *mpirun -n 3 ' again && pass 'SIGINT to mpirun: the command that goes on' ||
    fail 'SIGINT to mpirun: the command that goes on' long.err
sh again >/dev/null 2>again.err || fail 'that command runs' again.err
same 'that command finishes the campaign' expected stopped.db

# ---- strata: started anew, with other numbers of ranks ----

strata="$data --fault flips:1 --sampling stratified --threads 1"
"$STOIC" inject "$LENET" $strata --trials 3000 -o strata.db >/dev/null
bytes strata.db >expected
for more in '2 1200' '1 2100' '3 3000'; do # ranks, trials
    set -- $more
    mpirun -n $1 "$STOIC" inject "$LENET" $strata --trials $2 -o grown.db >/dev/null 2>grown.err ||
        fail "strata, continued by $1 ranks" grown.err
done
same 'strata, continued by other numbers of ranks' expected grown.db

# ---- what goes wrong is told once, with rank and host ----

refuse() { # NAME MESSAGE COMMAND...
    what=$1 message=$2
    shift 2
    "$@" >refuse.out 2>refuse.err
    status=$?
    if [ $status -ne 0 ] && [ "$(grep -c '^stoic' refuse.err)" -eq 1 ] && [ ! -s refuse.out ] &&
        grep -qE -e "$message" refuse.err; then
        pass "$what"
    else
        cat refuse.out refuse.err >why
        fail "$what" why
    fi
}
# Rank 0 must not be done alone before the others have begun.
inject="$STOIC inject $LENET $data --trials 1000000"
refuse 'another campaign on a rank' "^stoic inject: rank 1 on $(hostname): .*seed there is 0, here 3" \
    mpirun -n 1 $inject --fault flips:1 -o r.db : -n 1 $inject --fault flips:1 --seed 3 -o r.db
refuse 'a file that is not there on a rank' "^stoic inject: rank 1 on $(hostname): none.onnx: cannot open" \
    mpirun -n 1 $inject --fault flips:1 -o r.db : \
    -n 1 "$STOIC" inject none.onnx $data --fault flips:1 -o r.db
refuse 'a file that is not there' '^stoic inject: none.onnx: cannot open' \
    mpirun -n 3 "$STOIC" inject none.onnx $data --fault flips:1 -o r.db
refuse 'an option that is missing' '^stoic inject: missing option --data SPEC' \
    mpirun -n 3 "$STOIC" inject "$LENET"
refuse 'an option that does not exist' "^stoic inject: unknown option '--bla'" \
    mpirun -n 3 "$STOIC" inject "$LENET" --bla
refuse 'a folder that is not there' '^stoic inject: none/r.db: cannot create' \
    mpirun -n 2 $inject --fault flips:1 -o none/r.db
# ---- verbs that have no work to share out ----

alone() { # VERB ARGUMENTS...
    refuse "$1 by two processes" \
        "^stoic $1: mpirun has started 2 processes, .* $1 runs in one .*OMPI_COMM_WORLD_SIZE" \
        mpirun -n 2 "$STOIC" "$@"
}
alone eval "$LENET" $data
alone store "$LENET" --store fp16 -o written.stw
alone train "$LENET" $data --epochs 1 -o written.onnx
alone new lenet5 -o written.onnx
alone explore "$LENET" $data --store 'affine:{M}'
alone compare "$LENET" $data --fault flips:1 --with pass:relu6
alone attack "$LENET" $data --flips 1
alone harden "$LENET" --pass relu6 -o written.onnx
alone merge -o written.db alone.db
alone records alone.db -o written.csv
alone report alone.db -o written.html
ls written* >strange 2>/dev/null
[ -s strange ] && fail 'what is refused writes nothing' strange || pass 'what is refused writes nothing'
refuse 'a verb that does not exist, by two processes' "^stoic: unknown verb 'bla'" \
    mpirun -n 2 "$STOIC" bla
if mpirun -n 2 env -u OMPI_COMM_WORLD_SIZE "$STOIC" info "$LENET" >both.out 2>both.err &&
    [ "$(grep -c '^parameters' both.out)" -eq 2 ]; then
    pass 'without the variable each does it'
else
    cat both.err >>both.out
    fail 'without the variable each does it' both.out
fi
for words in help version 'help inject' 'inject --help' 'eval --help'; do
    "$STOIC" $words >left
    mpirun -n 2 "$STOIC" $words >right 2>&1 && cmp -s left right && pass "$words: once" ||
        fail "$words: once" right
done
refuse 'processes that srun started without MPI' 'srun has started 4 processes' \
    env SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=0 $inject --fault flips:1 -o r.db

echo "1..$((passed + failed))"
[ $failed -eq 0 ]
