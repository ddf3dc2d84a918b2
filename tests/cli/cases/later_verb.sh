for verb in plan harden infer compare analyze attack fit; do
    stoic $verb anything --at all; echo $?
done
