for verb in infer attack; do
    stoic $verb anything --at all; echo $?
done
