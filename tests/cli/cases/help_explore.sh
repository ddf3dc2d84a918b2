stoic explore --help
