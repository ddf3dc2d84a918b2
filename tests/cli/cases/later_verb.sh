for verb in attack; do
    stoic $verb anything --at all; echo $?
done
