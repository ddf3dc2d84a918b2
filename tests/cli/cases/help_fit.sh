stoic fit --help
