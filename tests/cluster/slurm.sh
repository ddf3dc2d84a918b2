#!/bin/sh
# The scripts of docs/cluster.md under Slurm: munged, slurmctld and slurmd of this machine are
# started for it, out of a folder of their own, and stopped again. Writes TAP; exit status 77: skipped.
#   sh tests/cluster/slurm.sh [STOIC]
here=$(cd "$(dirname "$0")" && pwd)
STOIC=${1:-$here/../../build/cli/stoic}
STOIC=$(cd "$(dirname "$STOIC")" && pwd)/$(basename "$STOIC")
LENET=$(cd "$here/../../models" && pwd)/lenet5-fashion-mnist.onnx
SCRIPTS=$(cd "$here/../../examples/cluster" && pwd)
skip() {
    echo "1..0 # SKIP $1"
    exit 77
}
PATH=$PATH:/usr/sbin
for program in mpirun munged slurmctld slurmd sbatch; do
    command -v $program >/dev/null || skip "there is no $program (packages openmpi-bin, munge, slurm-wlm)"
done
[ "$(id -u)" = 0 ] || skip 'slurmd starts jobs as root only'
"$STOIC" version | grep -q '^MPI  *none$' && skip 'stoic was built without MPI'
work=$(mktemp -d) || exit 2
chmod 755 "$work"
stop_daemons() {
    for name in slurmd slurmctld munged; do
        [ -s "$work/$name.pid" ] && kill "$(cat "$work/$name.pid")" 2>/dev/null
    done
    for i in $(seq 50); do
        pids=$(cat "$work"/*.pid 2>/dev/null)
        [ -z "$pids" ] || ! kill -0 $pids 2>/dev/null && break
        sleep 0.1
    done
}
trap 'stop_daemons; cd /; rm -rf "$work"' EXIT
trap 'exit 2' INT TERM
cd "$work" || exit 2
LC_ALL=C
OMPI_ALLOW_RUN_AS_ROOT=1
OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
SLURM_CONF=$work/slurm.conf
mkdir bin state spool && ln -s "$STOIC" bin/stoic
PATH=$work/bin:$PATH
export PATH LC_ALL OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM SLURM_CONF

passed=0 failed=0
pass() { passed=$((passed + 1)); echo "ok - $1"; }
fail() { # NAME [FILE...]
    failed=$((failed + 1))
    echo "not ok - $1"
    shift
    [ $# -eq 0 ] || tail -n 20 "$@" 2>&1 | sed 's/^/# /'
}

# ---- a cluster of one machine ----

host=$(hostname -s)
port=$((20000 + $$ % 20000))
cat >slurm.conf <<EOF
ClusterName=stoic
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=root
AuthInfo=socket=$work/munge.socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=0,sched_interval=1
NodeName=$host NodeAddr=127.0.0.1 CPUs=3 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
EOF
: >cgroup.conf
head -c 1024 /dev/urandom >munge.key && chmod 400 munge.key
munged --force --key-file="$work/munge.key" --socket="$work/munge.socket" \
    --pid-file="$work/munged.pid" --log-file="$work/munged.log" --seed-file="$work/munged.seed" \
    >munged.out 2>&1 || skip "munged does not start: $(tail -n 1 munged.out)"
slurmctld >slurmctld.out 2>&1 || skip "slurmctld does not start: $(tail -n 1 slurmctld.out)"
slurmd -N "$host" >slurmd.out 2>&1 || skip "slurmd does not start: $(tail -n 1 slurmd.out)"
for i in $(seq 300); do
    sinfo -h -o %T 2>/dev/null | grep -qx idle && break
    [ $i -lt 300 ] || skip "the node does not become idle: $(tail -n 1 slurmctld.log)"
    sleep 0.1
done

wait_for() { # JOB...: until Slurm has none of them in its queue
    for i in $(seq 1200); do
        [ -z "$(squeue -h -j "$(echo "$@" | tr ' ' ,)" 2>/dev/null)" ] && return
        sleep 0.1
    done
    echo "# jobs $* do not end"
}
bytes() { stoic records "$1" --format csv && stoic records "$1" --sites --format csv; }
same() { # NAME RUN.db
    if bytes "$2" >same.text 2>&1 && cmp -s expected same.text; then
        pass "$1"
    else
        fail "$1" same.text stoic*.log slurmctld.log
    fi
}

# ---- the scripts, as docs/cluster.md uses them ----

campaign="$LENET --data fashion-mnist --images 200 --fault flips:1 --trials 700"
stoic inject $campaign -o alone.db >/dev/null
bytes alone.db >expected

wait_for "$(sbatch --parsable "$SCRIPTS/mpi.sbatch" mpi.db $campaign)"
same 'mpi.sbatch, 2 tasks' mpi.db
wait_for "$(sbatch --parsable --ntasks=3 "$SCRIPTS/mpi.sbatch" mpi3.db $campaign)"
same 'mpi.sbatch, 3 tasks' mpi3.db

array=$(sbatch --parsable "$SCRIPTS/array.sbatch" array.db $campaign)
merge=$(sbatch --parsable --dependency=afterok:$array "$SCRIPTS/merge.sbatch" array.db)
wait_for $array $merge
same 'array.sbatch and a merge that depends on it' array.db
[ "$(ls array.db.part* | wc -l)" -eq 4 ] && pass 'four shards' || fail 'four shards' stoic*.log

# ---- a job that is cancelled is submitted again ----

campaign="$LENET --data fashion-mnist --images 500 --fault ber:1e-5 --trials 320 --engine full"
stoic inject $campaign -o alone2.db >/dev/null
bytes alone2.db >expected
for attempt in 1 2 3; do # on a busy machine scancel may come too late
    rm -f again.db
    job=$(sbatch --parsable "$SCRIPTS/mpi.sbatch" again.db $campaign)
    for i in $(seq 600); do
        [ "$(stoic records again.db --format csv 2>/dev/null | wc -l)" -gt 9 ] && break
        sleep 0.05
    done
    scancel "$job"
    wait_for "$job"
    part=$(stoic records again.db --format csv | wc -l)
    [ "$part" -lt 321 ] && break
done
[ -e again.db-lock ] && fail 'scancel: no lock stays' "stoic-$job.log" || pass 'scancel: no lock stays'
if [ "$part" -gt 9 ] && [ "$part" -lt 321 ]; then
    pass 'scancel: a part is kept'
else
    fail "scancel: a part is kept, $part lines" "stoic-$job.log" slurmctld.log
fi
wait_for "$(sbatch --parsable "$SCRIPTS/mpi.sbatch" again.db $campaign)"
same 'submitted again, to the same bytes' again.db

# ---- srun without MPI would start the campaign several times ----

srun -n 2 stoic inject $campaign -o srun.db >srun.out 2>&1
if [ "$(grep -c '^stoic inject: srun has started 2 processes' srun.out)" -eq 1 ] && ! [ -e srun.db ]; then
    pass 'srun without MPI is refused, once'
else
    fail 'srun without MPI is refused, once' srun.out
fi

echo "1..$((passed + failed))"
[ $failed -eq 0 ]
