#!/bin/sh
# Campaigns disturbed in every way, and input that nobody should believe, through the command as a
# user has it. Writes TAP.
#   sh tests/cli/torture.sh [STOIC [PART...]]     PART: a file of torture/ without its .sh
# Also from the environment: STOIC, MODELS, KILLS (how often the first campaign is killed).
here=$(cd "$(dirname "$0")" && pwd)
STOIC=${1:-${STOIC:-$here/../../build/cli/stoic}}
MODELS=$(cd "${MODELS:-$here/../../models}" && pwd)
[ $# -gt 0 ] && shift
[ -x "$STOIC" ] || { echo "no executable at $STOIC" >&2; exit 2; }
STOIC=$(cd "$(dirname "$STOIC")" && pwd)/$(basename "$STOIC")
FOLDER=$here/torture
CORPUS=$here/../fuzz/corpus
work=$(cd "$(mktemp -d)" && pwd -P) || exit 2
mounted=''
trap 'for folder in $mounted; do umount "$folder"; done; rm -rf "$work"' EXIT
trap 'exit 2' INT TERM
# Copies: other users must reach them too, and the checkout may lie where they may not look.
mkdir "$work/bin" && cp "$STOIC" "$work/bin/stoic" && cp -r "$MODELS" "$work/models" || exit 2
MODELS=$work/models
PATH=$work/bin:$PATH
LC_ALL=C
PYTHONDONTWRITEBYTECODE=1
# The parent of every case must notice a sanitizer's report, whatever the case expects.
ASAN_OPTIONS=exitcode=99:allocator_may_return_null=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}
UBSAN_OPTIONS=halt_on_error=1:exitcode=99:print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}
export PATH LC_ALL MODELS PYTHONDONTWRITEBYTECODE ASAN_OPTIONS UBSAN_OPTIONS
unset STOIC_DATA
# Debian's python3-onnx belongs to Debian's interpreter.
PYTHON=/usr/bin/python3
LENET=models/lenet5-fashion-mnist.onnx
LIMIT=30 # seconds that no command here may take

passed=0 failed=0
pass() { passed=$((passed + 1)); echo "ok - $1"; }
fail() { # NAME WHY [FILE]
    failed=$((failed + 1))
    echo "not ok - $1"
    echo "# $2"
    [ -z "$3" ] || head -n 20 "$3" | sed 's/^/# /'
}

# check NAME COMMAND...: the command succeeds.
check() {
    case_name=$1
    shift
    "$@" >log 2>&1 </dev/null
    status=$?
    if [ $status -eq 0 ]; then pass "$case_name"; else fail "$case_name" "exit status $status: $*" log; fi
}

# refuse NAME CULPRIT COMMAND...: exit 1 or 2, in time, nothing on stdout, and exactly one line on
# stderr, of printable text, that begins with `stoic` and matches the extended regular expression.
refuse() {
    case_name=$1 culprit=$2
    shift 2
    timeout -s KILL $LIMIT "$@" >refuse.out 2>refuse.err </dev/null
    status=$?
    if [ $status -ne 1 ] && [ $status -ne 2 ]; then
        fail "$case_name" "exit status $status, not 1 or 2" refuse.err
    elif [ "$(wc -l <refuse.err)" -ne 1 ] || ! grep -q '^stoic[^:]*: .' refuse.err; then
        fail "$case_name" "not exactly one line on stderr" refuse.err
    elif LC_ALL=C grep -q '[[:cntrl:]]' refuse.err; then
        fail "$case_name" "control characters on stderr" refuse.err
    elif ! grep -qE -e "$culprit" refuse.err; then
        fail "$case_name" "the message does not match /$culprit/" refuse.err
    elif [ -s refuse.out ]; then
        fail "$case_name" "something on stdout beside the error" refuse.out
    else
        pass "$case_name"
    fi
}

# survive NAME FILE COMMAND...: anything but a crash, a hang, a report of a sanitizer or silence.
survive() {
    case_name=$1
    shift
    timeout -s KILL $LIMIT "$@" >survive.out 2>survive.err </dev/null
    status=$?
    if [ $status -gt 2 ] || { [ $status -ne 0 ] && [ "$(wc -l <survive.err)" -lt 1 ]; }; then
        fail "$case_name" "exit status $status: $*" survive.err
        return 1
    fi
}

# Records and sites of a campaign file as one text.
bytes() { stoic records "$1" --format csv && stoic records "$1" --sites --format csv; }

# same NAME EXPECTED RUN.db: the file's bytes() are those of the text EXPECTED.
same() {
    if ! bytes "$3" >same.text 2>same.err; then
        fail "$1" "stoic records $3 fails" same.err
    elif diff "$2" same.text >same.diff; then
        pass "$1"
    else
        fail "$1" "records differ" same.diff
    fi
}

# The harness itself: what it must not let through.
self_test() {
    for planted in 'exit 0' 'kill -SEGV $$' 'echo "stoic: it" >&2; exit 3' 'exit 1' \
        'echo "stoic: it" >&2; echo more >&2; exit 1' 'echo "it" >&2; exit 1' \
        'echo "stoic: other" >&2; exit 1' 'echo "stoic: it"; echo "stoic: it" >&2; exit 1' \
        'printf "stoic: it\033[1m\n" >&2; exit 1' 'LIMIT=1; sleep 3'; do
        if (LIMIT=2; refuse x it sh -c "$planted") | grep -q '^not ok'; then
            pass "harness: refuse notices: $planted"
        else
            fail "harness: refuse notices: $planted" "it does not"
        fi
    done
    (refuse x it sh -c 'echo "stoic v: it is" >&2; exit 2') | grep -q '^ok' &&
        pass "harness: refuse accepts one clear line" || fail "harness: refuse accepts one line" ""
    (check x false) | grep -q '^not ok' && pass "harness: check notices a failure" ||
        fail "harness: check notices a failure" "it does not"
    (survive x sh -c 'kill -ABRT $$') | grep -q '^not ok' && pass "harness: survive notices a crash" ||
        fail "harness: survive notices a crash" "it does not"
}

run_part() { # NAME, in a folder of its own
    mkdir "$work/$1" && cd "$work/$1" && ln -s "$MODELS" models || exit 2
    begin=$(date +%s)
    . "$FOLDER/$1.sh"
    echo "# $1: $(($(date +%s) - begin)) s"
}

if [ $# -eq 0 ]; then
    mkdir "$work/harness" && cd "$work/harness" && self_test
    set -- campaigns by_hand interrupted trainings designs bad_models bad_data bad_files adversary clock
fi
for part; do run_part "$part"; done
echo "1..$((passed + failed))"
echo "# $passed passed, $failed failed"
[ $failed -eq 0 ]
