# a picture with the formats' names and the factors, whatever order they come in
stoic analyze scaling --rounds 100 --store q2.5,fp16 --scales 5,2.5 --figure f.svg >table || exit
for word in fixed:8:6 fp16 'c = 5' 'c = 2.5' weight; do
    printf '%s %s\n' "$(grep -c ">$word<" f.svg)" "$word"
done
stoic analyze scaling --rounds 10 --store fp16 --figure no/f.svg >table; echo $?
wc -l <table
