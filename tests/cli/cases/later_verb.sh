for verb in plan infer compare attack; do
    stoic $verb anything --at all; echo $?
done
