stoic info --help
