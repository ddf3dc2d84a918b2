for verb in plan harden store infer explore compare analyze attack fit; do
    stoic $verb anything --at all; echo $?
done
