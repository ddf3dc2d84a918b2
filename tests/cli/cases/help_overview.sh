stoic help
stoic --help | cmp - /dev/fd/3 3<<END
$(stoic help)
END
