try() { stoic fit "$@"; echo $?; }
try
try --events -1 --fluence 1e10
try --events 1.5 --fluence 1e10
try --events 3
try --events 3 --fluence 0
try --events 3 --fluence -1e10
try --events 3 --fluence nan
try --events 3 --fluence 1e10 --against 3
try --events 3 --fluence 1e10 --against 3,0
try --events 3 --fluence 1e10 --against -3,1e10
try --events 3 --fluence 1e10 --flux 0
try --events 3 --fluence 1e10 --confidence 1
try --events 3 --fluence 1e10 --pvf 0.5
try --events 3 --fluence 1e10 --hours -1
try --fluence 1e10
try --raw-fit-mbit 500
try --raw-fit-mbit 500 --bits 0 --pvf 0.5
try --raw-fit-mbit 500 --bits 1e6 --pvf 1.1
try --raw-fit-mbit 500 --bits 1e6 --pvf -0.1
try --raw-fit-mbit 500 --bits 1e6 --pvf nan
try --raw-fit-mbit -5 --bits 1e6 --pvf 0.5
try --raw-fit-mbit 500 --bits 1e6 --pvf 0.5 --against 1,1
try --raw-fit-mbit 500 --bits 1e6 --pvf 0.5 --hours 10 --scrub-hours 1
try --raw-fit-mbit 500 --words 10 --word-bits 72 --scrub-hours 1
try --raw-fit-mbit 500 --words 10 --word-bits 72 --scrub-hours 0 --hours 10
try run.db
try run.db --raw-fit-mbit 5 --pvf 0.5
try run.db --events 3 --fluence 1e10
