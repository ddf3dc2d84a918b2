#!/bin/sh
# What a user sees: each cases/NAME.sh runs in an empty folder with `stoic` in the PATH and the
# shipped models beside it; its output, errors and exit status must be those of NAME.out,
# NAME.err (absent: nothing) and NAME.exit (absent: 0).
#   sh tests/cli/run.sh [STOIC [NAME...]]      UPDATE=1 writes the golden files instead
# Also from the environment: STOIC, MODELS, CASES.
here=$(cd "$(dirname "$0")" && pwd)
STOIC=${1:-${STOIC:-$here/../../build/cli/stoic}}
MODELS=$(cd "${MODELS:-$here/../../models}" && pwd)
CASES=$(cd "${CASES:-$here/cases}" && pwd)
[ $# -gt 0 ] && shift
[ -x "$STOIC" ] || { echo "no executable at $STOIC" >&2; exit 2; }
STOIC=$(cd "$(dirname "$STOIC")" && pwd)/$(basename "$STOIC")
work=$(cd "$(mktemp -d)" && pwd -P) || exit 2
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" && ln -s "$STOIC" "$work/bin/stoic"
PATH=$work/bin:$PATH
LC_ALL=C
export PATH LC_ALL MODELS
unset STOIC_DATA

# Clocks differ from run to run; nothing else may.
normalise() {
    sed -E -e 's/("([a-z_]*seconds|images_per_second|time_ratio)": )[0-9.e+-]+/\1T/g' \
        -e 's/^(time +).*/\1T/' -e "s|$work|WORK|g" "$1"
}

golden() { # NAME KIND DEFAULT
    if [ -f "$CASES/$1.$2" ]; then cat "$CASES/$1.$2"; else printf '%s' "$3"; fi
}

update() { # NAME KIND DEFAULT: what the case gave becomes golden
    golden_file=$CASES/$1.$2
    printf '%s' "$3" | cmp -s - "$work/$2" && rm -f "$golden_file" || cp "$work/$2" "$golden_file"
}

run_case() { # NAME
    folder=$work/run/$1
    mkdir -p "$folder" && ln -s "$MODELS" "$folder/models"
    (cd "$folder" && sh "$CASES/$1.sh" >"$work/raw.out" 2>"$work/raw.err" </dev/null)
    printf '%s\n' $? >"$work/exit"
    normalise "$work/raw.out" >"$work/out"
    normalise "$work/raw.err" >"$work/err"
    if [ -n "$UPDATE" ]; then
        update "$1" out ''
        update "$1" err ''
        update "$1" exit '0
'
    fi
    same=yes
    for kind in out err exit; do
        default=''
        [ $kind = exit ] && default='0
'
        golden "$1" $kind "$default" >"$work/golden"
        diff -u "$work/golden" "$work/$kind" >"$work/diff.$kind" || same=no
    done
    if [ $same = yes ]; then
        passed=$((passed + 1))
        echo "ok - $1"
    else
        failed=$((failed + 1))
        echo "not ok - $1"
        cat "$work/diff.out" "$work/diff.err" "$work/diff.exit"
    fi
}

# The comparison itself: a wrong golden file must be noticed, whichever of the three it is.
check_harness() {
    mkdir "$work/planted"
    echo 'echo right; echo wrong >&2; exit 3' >"$work/planted/case.sh"
    for kind in out err exit none; do
        echo right >"$work/planted/case.out"
        echo wrong >"$work/planted/case.err"
        echo 3 >"$work/planted/case.exit"
        [ $kind = none ] || echo other >"$work/planted/case.$kind"
        CASES=$work/planted UPDATE='' sh "$here/run.sh" "$STOIC" case >"$work/log" 2>&1
        status=$?
        [ $kind = none ] && expected=0 || expected=1
        if [ $status -eq $expected ]; then
            passed=$((passed + 1))
            echo "ok - harness: $kind differs"
        else
            failed=$((failed + 1))
            echo "not ok - harness: $kind differs"
            cat "$work/log"
        fi
    done
}

passed=0 failed=0
if [ $# -gt 0 ]; then
    for name; do run_case "$name"; done
else
    set -- "$CASES"/*.sh
    echo "1..$(($# + 4))"
    check_harness
    for file; do run_case "$(basename "$file" .sh)"; done
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
