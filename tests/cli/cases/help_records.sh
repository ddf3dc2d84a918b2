stoic records --help
