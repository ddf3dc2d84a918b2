stoic version --help
