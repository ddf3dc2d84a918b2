stoic plan --help
