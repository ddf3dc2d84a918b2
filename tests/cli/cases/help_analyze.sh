stoic analyze --help
