stoic train --help
