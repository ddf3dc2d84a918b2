stoic attack --help
