stoic store --help
