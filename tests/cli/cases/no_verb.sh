stoic
