stoic version | sed 's/  .*//'
stoic version --format csv | head -1
stoic version --format json | grep -o '"[a-z]*":'
stoic --version | cmp - /dev/fd/3 3<<END
$(stoic version)
END
