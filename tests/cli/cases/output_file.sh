stoic new --list -o list.txt && stoic new --list | cmp - list.txt && echo same
stoic new --list -o none/list.txt; echo $?
stoic new --list -o models; echo $?
stoic new --list -o /dev/null; echo $?
ls
