#!/usr/bin/python3
"""Write the image files that bad_data.sh reads into the current folder. The JPEG comes from the
fuzzer's corpus, whose path is the argument."""
import gzip
import os
import struct
import sys
import zlib

import numpy as np

CORPUS = sys.argv[1]
with open(os.path.join(CORPUS, "jpeg-gray"), "rb") as stream:
    JPEG = stream.read()[1:]


def write(name, data):
    if os.path.dirname(name):
        os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb") as out:
        out.write(data)


def idx_images(count, height, width, pixels):
    return struct.pack(">IIII", 0x803, count, height, width) + pixels


def idx_labels(labels, count=None):
    return struct.pack(">II", 0x801, len(labels) if count is None else count) + bytes(labels)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, rows=None):
    rows = height if rows is None else rows
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress((b"\0" + b"\x55" * min(width, 1 << 16)) * rows)) + chunk(b"IEND", b""))


def npy(array):
    np.save("made.npy", array)
    with open("made.npy", "rb") as made:
        return made.read()


def write_idx():
    pixels = bytes(range(256)) * 40
    good = idx_images(10, 28, 28, pixels[:7840])
    write("images", good)
    write("labels", idx_labels(range(10)))
    write("images.gz", gzip.compress(good))
    write("images.cut.gz", gzip.compress(good)[:-30])
    write("images.bent.gz", gzip.compress(good)[:-6] + b"\0\0\0\0\0\0")
    write("images.short", good[:-1])
    write("images.long", good + b"\0")
    write("images.wrong", idx_images(10, 20, 28, pixels[:5600]))
    write("images.none", idx_images(0, 28, 28, b""))
    write("images.huge", idx_images(0xffffffff, 0xffffffff, 0xffffffff, b"abc"))
    write("images.magic", b"\1" + good[1:])
    write("images.empty", b"")
    write("labels.few", idx_labels(range(9)))
    write("labels.short", idx_labels(range(9), 10))
    write("labels.range", idx_labels([0, 1, 2, 10, 4, 5, 6, 7, 8, 9]))
    write("labels.images", good)


def write_npy():
    floats = np.zeros((4, 1, 28, 28), np.float32)
    good = npy(floats)
    write("images.npy", good)
    write("labels.npy", npy(np.arange(4)))
    write("labels_range.npy", npy(np.array([0, 1, 2, 1000])))
    write("labels_negative.npy", npy(np.array([0, -1, 2, 3])))
    write("labels_floats.npy", npy(np.zeros(4)))
    write("labels_few.npy", npy(np.arange(3)))
    write("images_short.npy", good[:-1])
    write("images_2d.npy", npy(np.zeros((4, 784), np.float32)))
    write("images_object.npy", good.replace(b"'<f4'", b"'|O' "))
    write("images_huge.npy", good.replace(b"(4, 1, 28, 28)", b"(9999999999, )"))
    nan = floats.copy()
    nan[2, 0, 3, 3] = np.nan
    write("images_nan.npy", npy(nan))


def write_folders():
    def folder(name, classes, images):
        for number in range(classes):
            write(f"{name}/c{number}/good.png", png(28, 28))
        for path, data in images.items():
            write(f"{name}/{path}", data)
    folder("pngs", 10, {})
    folder("nine", 9, {})
    folder("jpegs", 10, {"c3/bad.jpg": JPEG[:len(JPEG) // 2]})
    folder("random_jpeg", 10, {"c3/bad.jpg": b"\xff\xd8\xff\xe0" + os.urandom(300)})
    folder("empty_jpeg", 10, {"c3/bad.jpg": b""})
    folder("text_jpeg", 10, {"c3/bad.jpg": b"this is a text"})
    folder("cut_png", 10, {"c3/bad.png": png(28, 28, 20)})
    folder("huge_png", 10, {"c3/bad.png": png(2000000000, 2000000000, 1)})
    folder("giga_png", 10, {"c3/bad.png": png(31623, 31623, 1)})
    folder("sizes", 10, {"c3/other.png": png(30, 28)})
    folder("foreign", 10, {"c3/notes.txt": b"hello"})
    os.makedirs("no_images/c0", exist_ok=True)
    os.makedirs("no_classes", exist_ok=True)
    folder("odd names", 0, {"a b/x'y\n\".png": png(28, 28)})
    for number in range(9):
        write(f"odd names/{number}/{number}.png", png(28, 28))


write_idx()
write_npy()
write_folders()
write("cifar.short", b"\1" * 3072)
write("cifar.range", (b"\x0b" + b"\2" * 3072) * 2)
