stoic new --help
