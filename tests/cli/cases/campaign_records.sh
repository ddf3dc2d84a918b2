# A fault list fixes everything: its records are golden, bit for bit.
cat >sites.csv <<'END'
layer,index,bit
0,0,30
0,499,31
1,24999,22
4,839,30
4,0,0
END
stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 50 \
    --fault list:sites.csv --outcomes all -o run.db >/dev/null
stoic records run.db --format csv | cut -d, -f1-12
# Which outputs keep every bit depends on the instruction set; that the outcomes add up does not.
stoic records run.db --format csv | awk -F, 'NR > 1 { print $8 - $12 - $13 - $14 }' | uniq
stoic records run.db --sites --format csv
stoic records run.db | head -2 | cut -c1-95
stoic records run.db --format json -o run.json
python3 - <<'END'
import csv, json, subprocess
data = json.load(open("run.json"))
rows = list(csv.DictReader(subprocess.run(["stoic", "records", "run.db", "--format", "csv"],
                                          capture_output=True, text=True).stdout.splitlines()))
same = all(list(a) == list(b) and all((a[k] is None) == (b[k] == "") for k in a)
           for a, b in zip(data["records"], rows))
print(data["model"], len(data["records"]), len(rows), "same" if same else "different")
END
