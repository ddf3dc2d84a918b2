stoic report --help
