# gnuplot -e "folder='OUT'" exhaustive.gp: map.png, the critical rate by layer and bit, and weights.png,
# the share of the harm that the worst weights hold.
set datafile separator ','
set terminal pngcairo size 1300,420 font 'sans,13'
set output folder.'/map.png'
set title 'LeNet-5: share of images whose class a flip of this bit changes'
set logscale cb
set cbrange [1e-8:1]
set cbtics format '10^{%L}'
set palette defined (0 '#ffffff', 0.35 '#c6dbef', 0.6 '#6baed6', 0.8 '#2171b5', 0.93 '#d7301f', 1 '#7f0000')
set xrange [31.5:-0.5]
set yrange [4.5:-0.5]
set xtics 0,1,31 out nomirror font 'sans,11'
set ytics ('conv1' 0, 'conv2' 1, 'fc1' 2, 'fc2' 3, 'fc3' 4) out nomirror
set xlabel 'bit (31: sign, 30 to 23: exponent)'
set object 1 rectangle from 31.5,-0.5 to -0.5,4.5 fillcolor rgb '#f0f0f0' behind
plot folder.'/bits.csv' every ::1 using 2:1:($4 > 1e-8 ? $4 : NaN) with image pixels notitle
reset
set datafile separator ','
set terminal pngcairo size 900,520 font 'sans,13'
set output folder.'/weights.png'
set title 'Share of the harm that the worst weights hold'
set xlabel 'the worst weights, %'
set ylabel 'of all critical outcomes, %'
set xrange [0:100]
set yrange [0:101]
set grid lc rgb '#dddddd'
plot folder.'/weights.csv' every ::1 using (100*$2):(100*$3) with lines lw 3 lc rgb '#2171b5' notitle
