stoic help --help
