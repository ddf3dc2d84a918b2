stoic merge --help
