for verb in plan harden infer compare attack fit; do
    stoic $verb anything --at all; echo $?
done
