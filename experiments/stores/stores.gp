# gnuplot -e "results='results.csv'; network='lenet5-fashion-mnist'; figure='x.png'" stores.gp
#
# The mean drop against the bit error rate, a panel for each group of stores; both axes logarithmic. A
# mean drop below 0.0001, negative ones among them, is drawn on the lower edge.
set terminal pngcairo size 1500,1150 font 'sans,13'
set output figure
# gnuplot cuts a quoted field at its comma: tabs instead of the commas that separate.
data = "< awk -F'\"' '{ gsub(\",\", \"\\t\", $1); gsub(\",\", \"\\t\", $3); print $1 $2 $3 }' '".results."'"
set datafile separator "\t"
set multiplot layout 2,2 title network.': mean accuracy lost against the bit error rate' noenhanced \
    font 'sans,17'
set logscale xy
set format x '10^{%L}'
set format y '%g'
set xrange [7e-6:1.4e-2]
set yrange [8e-5:1.5]
set bmargin 9
set lmargin 10
set rmargin 4
set grid xtics ytics lc rgb '#dddddd'
set key outside below left Left reverse maxcols 2 noenhanced samplen 2 font 'sans,11'
atleast(y) = y < 1e-4 ? 1e-4 : y
colour(i) = word('#000000 #e69f00 #0072b2 #d55e00 #009e73 #cc79a7 #56b4e9 #999999 #8b4513 '. \
                 '#4b0082 #b0b000', i)
row(s) = strcol(1) eq network && strcol(2) eq s

a = '"fp32" "fp32,scale=max:1.9999,protect=exponent-msb" "fp16" "fp16,protect=exponent-msb" '. \
    '"fp16,scale=max:1.9999,protect=exponent-msb" "bf16"'
b = '"q2.5" "q2.5,scale=max:1.97" "q2.5,code=parity64" "int8" "int8,code=zerospace64" '. \
    '"int8,code=rep:2" "int8,code=secded72" "int8,code=tmr"'
c = '"affine:8" "affine:7" "affine:6" "affine:5" "affine:4" "affine:3" "affine:8,code=msb3" "affine:5,code=msb3" '. \
    '"affine:4,code=msb3" "affine:3,code=msb3" "affine:5,code=secded72"'
d = '"fp32" "fp32,code=secded72" "fp32,code=secded39" "fp32,code=tmr" "int8" "int8,code=secded72" '. \
    '"int8,code=tmr" "affine:5,code=secded72" "affine:5,code=msb3"'
do for [group in 'a b c d'] {
    list = value(group)
    set title word('"Floating point and weight scaling" "Eight bits: scaling, int8, codes in place" '. \
                   '"FORTUNE: widths and copies of the MSB" "Codes over whole words"', \
                   strstrt('abcd', group)) font 'sans,14'
    plot for [i = 1:words(list)] data using (row(word(list, i)) ? $5 : NaN):(atleast($10)) \
        with linespoints lw 2 pt i ps 1.3 lc rgb colour(i) title word(list, i)
}
unset multiplot
