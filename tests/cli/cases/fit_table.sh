stoic fit --events 37 --fluence 6.5e10 --against 12,6.5e10
stoic fit --events 0 --fluence 6.5e10 --against 3,2e10 --confidence 0.9 --flux 7.8e4
stoic fit --events 5 --fluence 1e10 --against 0,1e10 --hours 1e6
stoic fit --raw-fit-mbit 500 --bits 4e6 --pvf 0.01 --hours 87660
stoic fit --raw-fit-mbit 500 --words 1e6 --word-bits 72 --hours 87660 --scrub-hours 24
stoic fit --raw-fit-mbit 500 --words 1e6 --word-bits 72 --hours 87660 --scrub-hours 12
