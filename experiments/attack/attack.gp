# gnuplot -e "steps='steps.csv'; figure='x.svg'" attack.gp
#
# Accuracy against the flips found, a line for each store or hardened network.
set terminal svg size 1000,720 font 'sans,14' background 'white'
set output figure
set datafile separator "\t"
names = system("cut -f1 '".steps."' | uniq | tr '\\n' '\\t'")
n = int(system("cut -f1 '".steps."' | uniq | wc -l"))
name(i) = system(sprintf("cut -f1 '%s' | uniq | sed -n %dp", steps, i))
set title 'Accuracy against chosen bit flips, LeNet-5' noenhanced font 'sans,17'
set xlabel 'flips' offset 0,0.6
set bmargin 9.5
set ylabel 'accuracy (fraction)'
set yrange [0:1]
set xrange [0:*]
set grid lc rgb '#dddddd'
set key outside below left Left reverse maxcols 2 noenhanced samplen 2 font 'sans,12'
colour(i) = word('#000000 #e69f00 #0072b2 #56b4e9 #009e73 #cc79a7 #d55e00 #999999 #8b4513 '. \
                 '#4b0082 #b0b000 #1e90ff #228b22 #b22222 #708090 #daa520', i)
plot for [i = 1:n] steps using (strcol(1) eq name(i) ? $2 : NaN):3 with linespoints lw 2 pt i ps 0.7 \
    lc rgb colour(i) title name(i)
