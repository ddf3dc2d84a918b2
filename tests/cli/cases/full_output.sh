stoic new --list >/dev/full; echo $?
stoic help >/dev/full; echo $?
stoic version --format json >/dev/full; echo $?
stoic new --list >&-; echo $?
stoic version -o /dev/full; echo $?
