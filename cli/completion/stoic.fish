# fish completion for stoic; the command says what may stand where (stoic help --complete).
complete -c stoic -a '(stoic help --complete -- (commandline -opc) (commandline -ct) 2> /dev/null)'
