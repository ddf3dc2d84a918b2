# Whatever disturbs a campaign, its records are those of the undisturbed run, byte for byte.

printf 'trial,layer,index,bit\n0,0,1,30\n0,1,7,29\n1,4,3,31\n2,2,11,22\n3,3,5,28\n' >list.csv

become_campaign() { # FILE OPTIONS...: the campaign of $fault in place of this shell
    run_file=$1
    shift
    exec stoic inject $LENET --data fashion-mnist --images $images --fault $fault $trials "$@" \
        -o "$run_file" >/dev/null
}

run_campaign() { (become_campaign "$@"); }

random_pause() { # at most $1 milliseconds
    sleep "0.$(printf %03d "$(shuf -n 1 -i 10-"$1")")"
}

# killed TIMES MILLISECONDS: kills runs until that many were hit; a run that ends first is compared
# and begun anew.
killed() {
    kills=0 runs=0
    rm -f killed.db*
    while [ $kills -lt "$1" ]; do
        become_campaign killed.db &
        random_pause "$2"
        if kill -KILL $! 2>/dev/null; then kills=$((kills + 1)); fi
        wait $! 2>/dev/null
        status=$?
        if [ $status -eq 0 ]; then
            runs=$((runs + 1))
            bytes killed.db | diff expected - || return 1
            rm -f killed.db*
        elif [ $status -ne 137 ]; then
            return 1
        elif [ -s killed.db ] && stoic records killed.db --format csv >part.csv 2>part.err; then
            # Complete trials can be read at once, and are those of the whole.
            grep -vxFf expected part.csv >strange && return 1
        elif [ -s killed.db ] && ! grep -q 'not a campaign file: it is empty' part.err; then
            cat part.err
            return 1
        fi
    done
    run_campaign killed.db || return 1
    bytes killed.db | diff expected -
}

disturb() { # KILLS MILLISECONDS
    rm -f ./*.db*
    run_campaign plain.db --threads 1 || { fail "$fault runs" "it does not"; return; }
    bytes plain.db >expected
    [ "$(wc -l <expected)" -gt 4 ] && pass "$fault runs" || fail "$fault runs" "no rows" expected
    run_campaign other.db --threads 2
    same "$fault: 2 threads" expected other.db
    run_campaign small.db --memory 64M
    same "$fault: 64M" expected small.db
    for part in 1 2 3; do
        run_campaign part$part.db --shard $part/3
    done
    check "$fault: merge" stoic merge -o merged.db part2.db part3.db part1.db
    same "$fault: 3 shards merged" expected merged.db
    check "$fault: killed $1 times" killed "$1" "$2"
}

images=0-999
fault=flips:1 trials='--trials 500'
disturb "${KILLS:-20}" 300
run_campaign tiny.db --memory 1K
same 'flips:1: 1K' expected tiny.db
# The comparison itself: another seed gives other bytes.
run_campaign seed.db --seed 1
bytes seed.db >seed.text
cmp -s seed.text expected && fail 'another seed differs' 'it does not' || pass 'another seed differs'
fault=flips:10 trials='--trials 80'
disturb 3 300
fault=ber:1e-5 trials='--trials 40'
disturb 3 300
fault=mbu:3,n=2 trials='--trials 80'
disturb 3 200
fault=exhaustive,layer=4,bits=30+31 trials=''
disturb 3 250
fault=list:list.csv
images=0-499
disturb 2 150
# Two fault models in one campaign: a trial has the sites of both.
fault='flips:1,layer=0 --fault stuck1,layer=3,n=2' trials='--trials 100'
disturb 2 300
sites=$(stoic records plain.db --sites --format csv | grep -c '^7,')
[ "$sites" -eq 3 ] && pass 'two faults: three sites a trial' ||
    fail 'two faults: three sites a trial' "$sites found"
fault=map:block trials='--trials 40'
disturb 3 300
fault='map:mix,share=0.5 --fault flips:1' trials='--trials 40'
disturb 3 300
fault=op:random trials='--trials 8000'
disturb 3 300
