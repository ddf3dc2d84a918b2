"""usage: stores_spread.py FOLDER N SUBSET: link N images of class folders, as many of each class.

Within a class they are taken at even distances in the order of their names.
"""
import os
import sys

source, wanted, subset = os.path.abspath(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
classes = sorted(c for c in os.listdir(source) if os.path.isdir(os.path.join(source, c)))
each = wanted // len(classes)
for name in classes:
    files = sorted(os.listdir(os.path.join(source, name)))
    if not 0 < each <= len(files):
        sys.exit(f"{source}/{name}: {len(files)} images, {each} wanted")
    os.makedirs(os.path.join(subset, name), exist_ok=True)
    for i in range(each):
        file = files[i * len(files) // each]
        link = os.path.join(subset, name, file)
        if not os.path.lexists(link):
            os.symlink(os.path.join(source, name, file), link)
