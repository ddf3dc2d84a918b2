stoic inject --help
