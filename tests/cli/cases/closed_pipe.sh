# The reader is gone before the first line is written.
{ sleep 0.2; stoic new --list; echo $? >&2; } | true
