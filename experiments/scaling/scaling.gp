# gnuplot -e "folder='OUT'" scaling.gp: accuracy against the scaled maximum, a panel a format.
set datafile separator comma
set terminal svg size 1050,380 font "sans,12" background "white"
set output folder."/scaling.svg"
set multiplot layout 1,3 margins 0.07,0.985,0.16,0.9 spacing 0.03,0.1
set xlabel "t = max |cW|"
set xrange [0.3:4.2]
set yrange [0:1]
set grid ytics lc rgb "#dddddd"
set key left bottom Left reverse
formats = "fp32 fp16 q2.5"
titles = "'FP32, exponent msb protected' 'FP16, exponent msb protected' 'Q2.5'"
rates = "1e-5 1e-4 1e-3"
colours = "#1b9e77 #7570b3 #d95f02"
do for [f=1:3] {
    set title word(titles, f)
    if (f == 1) { set ylabel "accuracy, mean ± deviation" } else { unset ylabel; set format y "" }
    if (f == 1) { set key } else { unset key }
    plot for [r=1:3] folder."/results.csv" using \
        (strcol(1) eq "grid" && strcol(2) eq word(formats, f) && strcol(4) eq word(rates, r) && strcol(3) ne "none" ? column(3) + 0.04 * (r - 2) : 1/0):9:10 \
        with yerrorlines pt 7 ps 0.6 lc rgb word(colours, r) title "BER ".word(rates, r), \
        for [r=1:3] folder."/results.csv" using \
        (strcol(1) eq "grid" && strcol(2) eq word(formats, f) && strcol(4) eq word(rates, r) && strcol(3) eq "none" ? 0.35 + 0.03 * (r - 2) : 1/0):9 \
        with points pt 2 ps 1 lc rgb word(colours, r) title (r == 3 ? "unscaled" : "")
}
unset multiplot
