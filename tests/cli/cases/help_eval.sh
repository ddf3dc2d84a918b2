stoic eval --help
