stoic replay --help
