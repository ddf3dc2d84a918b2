stoic compare --help
