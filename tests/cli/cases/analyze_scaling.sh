# Fig. 2 of paper 1 in small: the table has means over the weights
stoic analyze scaling --rounds 2k --weights -0.5:0.5:0.1
# a row a weight; 2 has no expectation with c = 4, wrapped around it has one
stoic analyze scaling --rounds 1000 --store fp16,q2.5 --scales 1,4 --weights 0.3:0.5:0.1 --format csv
stoic analyze scaling --rounds 100 --store bf16 --scales 3.99 --weights 0.5:0.5:1 --ber 1e-3 \
    --seed 7 --protect sign+exponent --format json
# the same bytes whatever the threads
stoic analyze scaling --rounds 999 --format csv --threads 1 -o one.csv
stoic analyze scaling --rounds 999 --format csv --threads 3 -o three.csv
cmp one.csv three.csv && wc -l <one.csv
# rows do not depend on what stands beside them
stoic analyze scaling --rounds 999 --store fp16 --scales 3 --format csv | tail -n +2 >alone.csv
grep -c -x -F -f alone.csv one.csv
