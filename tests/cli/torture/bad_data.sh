# Images and labels that are broken, or of another network.

mkdir files && (cd files && $PYTHON "$FOLDER/make_data.py" "$CORPUS/data") ||
    fail 'bad data are made' 'they are not'
cd files || exit 2
ln -s ../models models

good() { # SPEC
    check "data: $1" stoic eval $LENET --data "$1"
}
bad() { # SPEC CULPRIT
    refuse "data: $1" "$2" stoic eval $LENET --data "$1"
}
good idx:images,labels
good idx:images.gz,labels
good npy:images.npy,labels.npy
good npy:images_nan.npy,labels.npy
good dir:pngs
good dir:foreign
good 'dir:odd names'
bad idx:images.cut.gz,labels 'images.cut.gz: corrupt gzip.*too early'
bad idx:images.bent.gz,labels 'images.bent.gz: corrupt gzip'
bad idx:images.short,labels 'images.short: truncated: .*7856 bytes, the file has 7855'
bad idx:images.long,labels 'images.long: .*7856 bytes, the file has 7857'
bad idx:images.wrong,labels 'images.wrong: images of shape 1x1x20x28, the network takes 1x1x28x28'
bad idx:images.none,labels 'images.none: dimension 0 is 0'
bad idx:images.huge,labels 'images.huge: '
bad idx:images.magic,labels 'images.magic: not an idx file'
bad idx:images.empty,labels 'images.empty: truncated'
bad idx:images,labels.few 'labels.few: 9 labels for the 10 images'
bad idx:images,labels.short 'labels.short: truncated'
bad idx:images,labels.range 'labels.range: label 10 of image 3 is out of range.*10 outputs'
bad idx:images,labels.images 'labels.images: labels of 3 dimensions'
bad idx:labels,images 'labels: images of 1 dimensions'
bad idx:images 'idx:images: .*two'
bad idx:nowhere,labels 'nowhere: .*No such file'
bad idx:images,nowhere 'nowhere: .*No such file'
bad idx:pngs,labels 'pngs: .*directory'
bad npy:images.npy,labels_range.npy 'labels_range.npy: label 1000 of image 3 is out of range'
bad npy:images.npy,labels_negative.npy 'labels_negative.npy: label -1 of image 1 is out of range'
bad npy:images.npy,labels_floats.npy 'labels_floats.npy: .*<f8'
bad npy:images.npy,labels_few.npy 'labels_few.npy: 3 labels for the 4 images'
bad npy:images_short.npy,labels.npy 'images_short.npy: truncated'
bad npy:images_2d.npy,labels.npy 'images_2d.npy: images of 2 dimensions'
bad npy:images_object.npy,labels.npy 'images_object.npy: '
bad npy:images_huge.npy,labels.npy 'images_huge.npy: truncated'
bad dir:nine 'nine: 9 classes, unlike the 10 outputs'
bad dir:jpegs 'jpegs/c3/bad.jpg: corrupt JPEG'
bad dir:random_jpeg 'random_jpeg/c3/bad.jpg: corrupt JPEG'
bad dir:empty_jpeg 'empty_jpeg/c3/bad.jpg: neither JPEG nor PNG'
bad dir:text_jpeg 'text_jpeg/c3/bad.jpg: neither JPEG nor PNG'
bad dir:cut_png 'cut_png/c3/bad.png: corrupt PNG'
bad dir:huge_png 'huge_png/c3/bad.png: '
bad dir:giga_png 'giga_png/c3/bad.png: .*31623 x 31623'
bad dir:sizes 'sizes/c3/other.png: .*1x28x30'
bad dir:no_images 'no_images/c0: no JPEG or PNG'
bad dir:no_classes 'no_classes: 0 class folders'
bad dir:nowhere 'nowhere: .*No such file'
bad dir:images 'images: .*Not a directory'
bad cifar:cifar.short 'cifar.short: 3072 bytes'
bad cifar:cifar.range 'cifar.range: label 11 of image 0'
bad nowhere "nowhere: no such file"
bad images 'images: .*idx:IMAGES,LABELS'
bad cifar10 'cifar10: .*STOIC_DATA'
bad '' '--data: expected SPEC'
bad : ': no such file'
for spec in , dir: idx:, idx:,,, npy:,; do
    bad "$spec" 'empty path in the data spec'
done
bad 'dir:nowhere\,here' 'nowhere,here: .*No such file'

# A campaign that meets a bad image, or is asked for images that are not there, leaves no file.
inject() { # NAME CULPRIT OPTIONS...
    inject_name=$1 culprit=$2
    shift 2
    refuse "$inject_name" "$culprit" stoic inject $LENET --fault flips:1 --trials 3 -o new.db "$@"
    [ -e new.db ] && { fail "$inject_name: no file stays" "$(ls -la new.db)"; rm -f new.db; }
}
inject 'inject: a corrupt JPEG' 'jpegs/c3/bad.jpg' --data dir:jpegs
inject 'inject: labels out of range' 'label 10 of image 3' --data idx:images,labels.range
for images in 10-19 0-10 9-8 11 0 -1 1-2-3 a 0- 99999999999999999999 9223372036854775806-9223372036854775807; do
    inject "inject: --images $images" '--images' --data idx:images,labels --images=$images
done
inject 'inject: --images-per-trial' '--images-per-trial' --data idx:images,labels \
    --images-per-trial 11
inject 'inject: --crop of nothing' 'crop' --data idx:images,labels --crop 0x
inject 'inject: --mean of three for one channel' '--mean|channel' --data idx:images,labels \
    --mean 0.1,0.2,0.3
inject 'inject: --std 0' '--std' --data idx:images,labels --std 0
inject 'inject: --std nan' '--std' --data idx:images,labels --std nan
inject 'inject: --resize of a gigapixel' '31623' --data idx:images,labels --resize 31623
