stoic harden --help
