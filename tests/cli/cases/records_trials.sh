# Some trials of a campaign, and how many bits or values each of them hit.
run="stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 20"
$run --fault ber:1e-6 --trials 12 -o run.db >/dev/null
stoic records run.db --format csv >all.csv
# By the sites themselves.
stoic records run.db --sites --format csv | awk -F, 'NR > 1 { n[$1]++ } END { for (t = 0; t < 12; t++) print t "," n[t] + 0 }' >sites
awk -F, 'NR > 1 { print $1 "," $NF }' all.csv | cmp - sites && echo same
stoic records run.db --trial 3 --format csv >one.csv
sed -n '1p;5p' all.csv | cmp - one.csv && echo same
stoic records run.db --trial 10-99 --format csv >some.csv
sed -n '1p;12,$p' all.csv | cmp - some.csv && echo same
stoic records run.db --trial 3-4 --sites --format csv | cut -d, -f1 | uniq
stoic records run.db --trial 3 --format json | tr , '\n' | grep -c '"trial"'
for trials in 12 20-30 4-2 -1 x 1- ''; do stoic records run.db --trial "$trials"; echo $?; done
# Of a crowd only the number is in the file.
$run --fault ber:0.01 --trials 2 -o crowd.db >/dev/null
stoic records crowd.db --format csv | cut -d, -f1,17
stoic records crowd.db --sites --trial 1 --format csv
# Values of feature maps: those of all images that were hit, though few are kept.
$run --fault map:whole,layer=4 --trials 2 -o map.db >/dev/null
stoic records map.db --format csv | cut -d, -f1,17
stoic records map.db --sites --format csv | wc -l
stoic replay map.db --trial 1 | sed -n 's/.* \([0-9]*\) of 10 elements.*/\1/p' | awk '{ n += $1 } END { print n }'
