for verb in plan harden store infer explore compare attack fit; do
    stoic $verb anything --at all; echo $?
done
