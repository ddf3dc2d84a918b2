for verb in plan harden infer compare attack; do
    stoic $verb anything --at all; echo $?
done
