stoic infer --help
