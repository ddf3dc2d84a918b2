# The everyday entry points. Meson and Ninja do the building; see CONTRIBUTING.md.
#   make         build/stoic, build/libstoic.so, build/libstoic.a
#   make demo    set-up, build, the LeNet-5 case study, a report to look at
#   make test    set-up, build, every test
PREFIX ?= /usr/local
BUILD ?= build
PEERS ?= $(HOME)/stoic-peers
FUZZ_SECONDS ?= 1800

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)
	@ln -sf cli/stoic $(BUILD)/stoic
	@ln -sf src/libstoic.a $(BUILD)/libstoic.a
	@ln -sf src/libstoic.so $(BUILD)/libstoic.so

$(BUILD)/build.ninja:
	meson setup $(BUILD)

setup:
	scripts/setup

demo: setup
	$(MAKE) all
	scripts/demo.sh

test: setup
	scripts/run-tests

asan:
	scripts/run-sanitized address,undefined

tsan:
	scripts/run-sanitized thread

# many machines: under mpirun, and under a Slurm that the test starts on this machine
cluster-test: setup
	$(MAKE) all
	meson test -C $(BUILD) --no-rebuild --suite cluster --print-errorlogs

bench: all
	python3 bench/compare.py --peers $(PEERS)
	python3 bench/train.py --peers $(PEERS)

# Hours: everything in torture/, a campaign killed a thousand times, every limit of memory, every allocation failing
torture: all
	KILLS=1000 sh tests/cli/torture.sh $(BUILD)/cli/stoic campaigns by_hand interrupted trainings designs bad_models bad_data bad_files adversary clock limits exhausted

verify: all
	scripts/verify $(PEERS)

verify-exact: all
	scripts/verify-exact

onednn3:
	scripts/onednn3

# Everything as aarch64, the unit tests under emulation: scripts/aarch64 says what it fetches
aarch64:
	scripts/aarch64

fuzz:
	scripts/run-fuzzers $(FUZZ_SECONDS)

package:
	scripts/package

package-test:
	scripts/package-test

install: all
	meson configure $(BUILD) -Dprefix=$(abspath $(PREFIX)) -Dlibdir=lib
	DESTDIR=$(abspath $(DESTDIR)) meson install -C $(BUILD)

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

lint: $(BUILD)/build.ninja
	scripts/check-layout
	git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror
	git ls-files 'src/*.c' 'cli/*.c' | xargs clang-tidy -p $(BUILD) --quiet

clean:
	rm -rf build build-* demo

.PHONY: all setup demo test asan tsan cluster-test torture bench verify verify-exact onednn3 aarch64 fuzz package package-test install format lint clean
