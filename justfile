# The project's interface: everything that people and CI do is a recipe here. Start them with ./x, which brings in what they need.

edgegen := "cargo run --quiet --package edgegen --"

# What needs no Burn
libraries := "-p edgegen-runtime -p edgegen-data -p edgegen-export -p edgegen-app -p edgegen-board -p edgegen-sim"
fast := libraries + " -p edgegen-kernel-check -p edgegen-tests -p edgegen-bench-arm"

# List the recipes
default:
    @just --list

# Boot the shipped model on the emulated board; then build Burn, train a model of your own and take it the same way
demo *args:
    cargo build --package edgegen --no-default-features
    cargo run --quiet --package edgegen --no-default-features -- demo --only shipped {{args}}
    @echo "demo: building the trainer, the first time about a quarter of an hour on two cores; then it trains for one" >&2
    cargo build --package edgegen
    {{edgegen}} demo --only trained {{args}}

# Everything that CI checks
test: check publish-check build-tests test-fast test-trainer asan

# Everything that CI checks, and what takes long, needs more tools or the network; at the end says what was left out
test-all:
    #!/bin/sh
    set -eu
    log=$(mktemp -d)
    trap 'rm -r "$log"' EXIT
    for recipe in test lint-firmware lint-peers test-onnx msrv check-devices deny; do
        # A pipe ends with the status of its last command, and `tee` always succeeds.
        { just "$recipe" 2>&1 && echo passed >"$log/$recipe.status" || echo failed >"$log/$recipe.status"; } |
            tee "$log/$recipe"
    done
    echo "test-all:"
    for status in "$log"/*.status; do
        recipe=$(basename "$status" .status)
        echo "  $recipe: $(cat "$status")"
        # Recipes and tests that leave something out say so in these words.
        grep -oE "([a-z-]+: )?skipped .*" "$log/$recipe" | sort -u | sed 's/^/    /' || :
    done
    ! grep -q failed "$log"/*.status

# Formatting, lints and documentation
check:
    cargo fmt --check
    for folder in firmware/bench firmware/boards/*/ firmware/examples/*/ firmware/check firmware/emulated firmware/lm3s6965 firmware/proof tests/fuzz benches/host; do (cd $folder && cargo fmt --check) || exit 1; done
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --package edgegen-runtime --package edgegen-data --package edgegen-export --package edgegen-app --package edgegen-sim

# Lints of firmware, each board with each of its panels (needs the Rust targets that ./x installs)
lint-firmware:
    #!/bin/sh
    set -eu
    for lock in firmware/*/Cargo.lock firmware/*/*/Cargo.lock; do
        folder=$(dirname "$lock")
        target=$(sed -n 's/^target *= *"\(.*\)".*/\1/p' "$folder/.cargo/config.toml")
        target=${target:-aarch64-unknown-linux-gnu} # a program of Linux has none of its own
        # Clippy goes with rustup's compiler: Debian's Rust, which also builds firmware, has none that fits.
        case $(sh firmware/arm --check "$target" 2>&1) in
        *", target installed") ;;
        *) echo "lint-firmware: skipped $folder: rustup target add $target" >&2; continue ;;
        esac
        arm=$PWD/firmware/arm
        lint() { (cd "$folder" && "$arm" clippy --release --quiet --workspace --target "$target" "$@" -- -D warnings); }
        lint
        # Each feature is a panel that is not the first, or something that a test puts in.
        for feature in $(sed -n '/^\[features\]/,/^$/s/^\([a-z0-9]*\) = .*/\1/p' "$folder/Cargo.toml"); do
            [ "$feature" = default ] || lint --no-default-features --features "$feature"
        done
    done

# Lints of what stands beside the workspace because others should not wait for it: fuzz targets and the host benchmark
lint-peers:
    #!/bin/sh
    set -eu
    if command -v c++ >/dev/null 2>&1; then
        (cd tests/fuzz && cargo clippy --quiet -- -D warnings)
    else
        echo "lint-peers: skipped tests/fuzz, which needs a C++ compiler: on Debian, apt-get install g++" >&2
    fi
    cd benches/host && cargo clippy --release --quiet --all-targets -- -D warnings

# Are the crates for other people's firmware fit for crates.io? `--online` asks its index, too; neither uploads anything
publish-check *args:
    #!/bin/sh
    set -eu
    # Packs both, unpacks them and compiles what was packed; edgegen-app against the packed runtime, which no registry has
    # yet. Cargo takes that runtime, unpacked and compiled, for the same as long as its version is, so what an earlier run
    # left of both has to go; what others publish may stay.
    rm -rf target/publish/package target/publish/debug/.fingerprint/edgegen-*
    rm -rf "${CARGO_HOME:-$HOME/.cargo}"/registry/src/-*/edgegen-runtime-*
    crates="--allow-dirty --quiet --target-dir target/publish --package edgegen-runtime --package edgegen-app"
    case "{{args}}" in
        --online) cargo publish --dry-run $crates ;;
        "") cargo package --offline $crates ;;
        *) echo "publish-check: expected --online or nothing, found {{args}}" >&2; exit 1 ;;
    esac

# Do they compile with the oldest Rust that they promise? (needs it: `rustup toolchain install VERSION --profile minimal`)
msrv:
    #!/bin/sh
    set -eu
    version=$(sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' runtime/Cargo.toml).0
    if ! cargo "+$version" --version >/dev/null 2>&1; then
        echo "msrv: skipped, there is no Rust $version here: rustup toolchain install $version --profile minimal" >&2
        exit 0
    fi
    for target in $(rustup target list --installed --toolchain "$version"); do
        cargo "+$version" check --quiet --target-dir target/msrv --target "$target" --package edgegen-runtime --package edgegen-app
    done
    cargo "+$version" check --quiet --target-dir target/msrv --package edgegen-runtime --all-features

# Compile all tests; the first time takes minutes, which is why it shows what it does
build-tests:
    cargo test --no-run {{fast}}
    cargo test --no-run --package edgegen --no-default-features --test no_training
    cargo test --no-run --package edgegen --package edgegen-data --package edgegen-metrics --package edgegen-export

# All tests that need no Burn: kernels, files, golden bytes, drawing, emulated boards
test-fast:
    cargo test --quiet {{fast}}

# The tests of the trainer, of the measures and of the command line
test-trainer:
    cargo test --quiet --package edgegen --no-default-features --test no_training
    # With the importer of ONNX files, which the command has and the tests without Burn do not.
    cargo test --quiet --package edgegen --package edgegen-data --package edgegen-metrics --package edgegen-export

# What tract says of our ONNX files (compiles tract, about six minutes the first time, once for bench-host, too)
test-onnx:
    cd benches/host && cargo test --release --quiet

# Time whole generators on the host beside tract and onnxruntime, and keep a record (needs python3-venv; `--rounds 20` is quick)
bench-host *args:
    #!/bin/sh
    set -eu
    root=$PWD
    # An environment of its own: no part of the project needs Python.
    test -x .tools/onnxruntime/bin/python || python3 -m venv .tools/onnxruntime
    .tools/onnxruntime/bin/pip install --quiet --disable-pip-version-check --requirement benches/host/requirements.txt
    networks=$(mktemp -d)
    trap 'rm -r "$networks"' EXIT
    for folder in models/*/; do
        name=$(basename "$folder")
        {{edgegen}} export "$folder" -o "$networks/$name.egm" --onnx "$networks/$name.onnx" --json >"$networks/$name.json"
    done
    cd benches/host
    cargo run --release -- --python "$root/.tools/onnxruntime/bin/python" --record "$root/benches/record" {{args}} "$networks"/*.onnx

# Time a training step and its layers beside PyTorch, and keep a record (needs python3-venv and 5 GB for PyTorch; `--rounds 5` is quick)
bench-train *args:
    #!/bin/sh
    set -eu
    # An environment of its own: no part of the project needs Python. The CPU build of PyTorch is a fifth the size of the other.
    test -x .tools/torch/bin/python || python3 -m venv .tools/torch
    pip=".tools/torch/bin/pip --disable-pip-version-check"
    if ! .tools/torch/bin/python -c 'import torch' 2>/dev/null; then
        $pip install --quiet --retries 0 --requirement benches/train/requirements.txt --index-url https://download.pytorch.org/whl/cpu ||
            $pip install --quiet --requirement benches/train/requirements.txt
    fi
    cargo run --quiet --package edgegen-bench-train -- --python .tools/torch/bin/python --record benches/record {{args}}

# Time a training step beside PyTorch on the same NVIDIA GPU, and keep a record (needs python3-venv and 5 GB for PyTorch; builds Burn for CUDA)
bench-gpu *args:
    #!/bin/sh
    set -eu
    if ! nvidia-smi -L 2>/dev/null | grep -q GPU; then
        echo "bench-gpu: skipped, nvidia-smi finds no NVIDIA GPU here, and without one there is nothing to measure" >&2
        exit 0
    fi
    test -x .tools/torch-gpu/bin/python || python3 -m venv .tools/torch-gpu
    .tools/torch-gpu/bin/pip install --quiet --disable-pip-version-check --requirement benches/train/requirements.txt
    cargo run --quiet --package edgegen-bench-train --features cuda -- \
        --device cuda --python .tools/torch-gpu/bin/python --record benches/record {{args}}

# Small nets on wgpu (Mesa's software device where there is no GPU), ndarray and other devices, held against flex, with a record (builds Burn for all of them, the first time a quarter of an hour and more): `just test-gpu wgpu,ndarray,cuda`
test-gpu features="wgpu,ndarray" *args:
    #!/bin/sh
    set -eu
    # Without the importer of ONNX files, whose tract would be compiled for it anew.
    cargo build --package edgegen --package edgegen-bench-devices --no-default-features \
        --features edgegen/train,edgegen/$(echo {{features}} | sed 's|,|,edgegen/|g')
    # Mesa wants a folder for its sockets, and complains where there is none.
    export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$(mktemp -d)}
    require=$(echo "--require {{features}}" | sed 's|,| --require |g')
    built=${CARGO_TARGET_DIR:-target}/debug
    $built/edgegen-bench-devices --edgegen $built/edgegen $require --record benches/record {{args}}

# All experiments of the lab with their claims, a page in out/lab and a dated record (about a quarter of an hour on two cores)
lab *args:
    {{edgegen}} lab all --record benches/record {{args}}

# Count instructions on emulated Cortex-M, layer by layer and whole, and keep a record; one processor's name: without a record
bench-arm *args:
    cargo run --quiet --package edgegen-bench-arm -- {{args}}

# Flash of the runtime by part, and stack; then flash, RAM and stack of each board's firmware
size:
    cargo run --quiet --package edgegen-bench-arm -- size

# Cycles of the inner loops, estimated by llvm-mca
mca:
    cargo run --quiet --package edgegen-bench-arm -- mca

# Export every shipped model again from its float weights
models:
    #!/bin/sh
    set -eu
    for folder in models/*/; do
        # What turns pictures into others brings some along.
        pictures=$(test ! -d "${folder}pictures" || echo "--image ${folder}pictures")
        {{edgegen}} export "$folder" --name "$(basename "$folder")" -o "${folder}model.egm" $pictures
        {{edgegen}} sample "${folder}model.egm" --out "${folder}samples.png"
    done

# Make a finished run a shipped model: `just ship runs/mnist-dcgan mnist-dcgan`, then write its card
ship run name:
    mkdir -p models/{{name}}
    cp {{run}}/recipe.toml {{run}}/generator.safetensors $(ls {{run}}/examples.png 2>/dev/null) models/{{name}}/
    just models

# Photograph the panels of all emulated boards for the README
photos:
    {{edgegen}} sample models/mnist-dcgan/model.egm --count 48 --grid 12 --out docs/samples.png
    {{edgegen}} data fetch mnist
    mkdir -p out && {{edgegen}} morph mnist:7 mnist:4 --out out/morph.png && cp out/morph.png docs/
    {{edgegen}} sim models/mnist-dcgan/model.egm --board lm3s6965evb --cpu cortex-m4 --seed 40 --photo docs/panel.png
    {{edgegen}} sim models/emoji-dcgan/model.egm --board pico --seed 1 --photo docs/panel-pico.png
    {{edgegen}} sim models/mnist-dcgan/model.egm --board pico --panel ssd1306 --seed 1 --photo docs/panel-pico-oled.png
    {{edgegen}} sim models/emoji-dcgan/model.egm --board pico --mode art --seed 7 --photo docs/art.png
    {{edgegen}} sim models/drums/model.egm --board pico --mode drums --seed 3 --photo docs/panel-pico-drums.png
    {{edgegen}} sim models/faces-words/model.egm --board pico --mode "class=red pigtails, sunglasses" --photo docs/panel-pico-words.png
    {{edgegen}} mix models/faces-style/model.egm --rows 4 --columns 6 --seed 24 --out docs/mix.png
    {{edgegen}} sim models/faces-style/model.egm --board pico --mode mix --seed 3 --photo docs/panel-pico-style.png
    {{edgegen}} sim models/faces-style/model.egm --board raspi --seed 1 --photo docs/panel-raspi-style.png
    {{edgegen}} sim models/faces-style/model.egm --board mps3-an547 --photo docs/mps3-an547-style.png
    {{edgegen}} sim models/avatars-emoji/model.egm --board pico --mode picture=0 --photo docs/panel-pico-emoji.png
    {{edgegen}} sim models/emoji-dcgan/model.egm --board raspi --seed 1 --photo docs/panel-raspi.png
    {{edgegen}} sim models/emoji-dcgan/model.egm --board mps3-an547 --photo docs/mps3-an547.png
    {{edgegen}} sample models/emoji-dcgan/model.egm --seed 6 --count 1 --out out/face.png
    {{edgegen}} sim tests/onnx/outlines.egm --image out/face.png --board pico --mode picture --photo docs/panel-pico-outlines.png

# The playground as a folder for any static host, out/playground
playground *args:
    cargo run --quiet --package edgegen --no-default-features -- play --out out/playground {{args}}

# Photograph the playground for the README (needs Chromium)
photo-playground: (photo-page "--no-default-features" "" "1200,1330" "#model=emoji-dcgan&panel=lcd&mode=one&seed=6&words=0" "docs/playground.png")

# Train `./x demo`'s digits, unless they are there, and photograph the studio that shows them (needs Chromium)
photo-studio run="out/digits": && (photo-page "" ("--train " + run) "1200,1430" "#mode=one&seed=6&words=0" "docs/studio.png")
    {{edgegen}} data fetch mnist
    test -f {{run}}/generator.safetensors || {{edgegen}} train trainer/recipes/demo.toml --out {{run}}
    {{edgegen}} export {{run}} --out {{run}}/model.egm

# Serve the page of `edgegen play` and photograph it
[private]
photo-page features play size fragment picture:
    #!/bin/sh
    set -eu
    folder=$(mktemp -d)
    mkfifo "$folder/address"
    cargo build --quiet --package edgegen {{features}}
    cargo run --quiet --package edgegen {{features}} -- play --no-open --quiet {{play}} >"$folder/address" &
    server=$!
    trap 'kill $server; rm -r "$folder"' EXIT
    # The first line is the address, as soon as it is served.
    read -r address <"$folder/address"
    chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$folder/profile" \
        --window-size={{size}} --virtual-time-budget=10000 --screenshot={{picture}} "$address{{fragment}}"

# Train the shipped models again (hours)
train-models:
    for name in mnist-dcgan mnist-cgan mnist-vae fashion-dcgan fashion-residual emoji-dcgan icons faces-words faces-style moons-maf moons-iaf drums fashion-edges-pix2pix emoji-pairs-pix2pix avatars-emoji bags-shoes; do {{edgegen}} train trainer/recipes/$name.toml --out runs/$name $(test ! -d runs/$name/checkpoint || echo --resume) || exit 1; done

# Faces that grow and, in the same time, the same nets that do not; then both tables
growing out="out/growing":
    {{edgegen}} data fetch avatars
    for name in faces-growing faces-grown; do {{edgegen}} train trainer/recipes/$name.toml --out {{out}}/$name $(test ! -d {{out}}/$name/checkpoint || echo --resume) || exit 1; done
    for name in faces-growing faces-grown; do {{edgegen}} eval {{out}}/$name || exit 1; done

# Clothes on request, the class that was asked for told by a judge, and what latent vectors drawn in cost in variety
biggan out="out/biggan":
    {{edgegen}} data fetch fashion-mnist
    {{edgegen}} train trainer/recipes/fashion-biggan.toml --out {{out}} $(test ! -d {{out}}/checkpoint || echo --resume)
    {{edgegen}} eval {{out}}
    {{edgegen}} eval {{out}} --truncation 0.3,0.4,0.5,0.6,0.7,0.8,0.9,1
    {{edgegen}} sample {{out}} --truncation --out {{out}}/truncation.png

# Clothes from their edges by L1, by the game alone and by both, and by L2 with and without the game, from one seed; then the table and a picture of all
pix2pix out="out/pix2pix":
    {{edgegen}} data fetch fashion-mnist
    for name in l1 cgan pix2pix l2 l2-gan; do {{edgegen}} train trainer/recipes/fashion-edges-$name.toml --out {{out}}/$name $(test ! -d {{out}}/$name/checkpoint || echo --resume) || exit 1; done
    {{edgegen}} eval {{out}}/pix2pix --beside {{out}}/l1 --beside {{out}}/cgan --beside {{out}}/l2 --beside {{out}}/l2-gan --picture {{out}}/pairs.png

# Outlines of clothes out of nothing, and what fashion-edges-pix2pix makes of them, in one model; then its picture on a board
imagine out="out/imagine":
    {{edgegen}} data fetch fashion-mnist
    for name in fashion-edges-dcgan fashion-edges-pix2pix; do {{edgegen}} train trainer/recipes/$name.toml --out {{out}}/$name $(test ! -d {{out}}/$name/checkpoint || echo --resume) || exit 1; done
    {{edgegen}} export {{out}}/fashion-edges-pix2pix --after {{out}}/fashion-edges-dcgan -o {{out}}/clothes.egm
    {{edgegen}} sim {{out}}/clothes.egm --board pico --seed 1 --photo {{out}}/panel.png

# Drawn faces as emoji without pairs, by CycleGAN and by DTN, and emoji of one vendor as another's with them; then both tables
emoji out="out/emoji":
    for set in avatars fun-emoji emoji; do {{edgegen}} data fetch $set || exit 1; done
    for name in avatars-emoji avatars-emoji-dtn emoji-pairs-pix2pix; do {{edgegen}} train trainer/recipes/$name.toml --out {{out}}/$name $(test ! -d {{out}}/$name/checkpoint || echo --resume) || exit 1; done
    {{edgegen}} eval {{out}}/avatars-emoji --beside {{out}}/avatars-emoji-dtn --picture {{out}}/avatars-emoji.png
    {{edgegen}} eval {{out}}/emoji-pairs-pix2pix --picture {{out}}/emoji-pairs-pix2pix.png

# Digits into thickened, inverted ones without pairs, by cycles, by the game alone, by distances, and the table of all; then bags into shoes
unpaired out="out/unpaired":
    {{edgegen}} data fetch mnist
    {{edgegen}} data fetch fashion-mnist
    for name in mnist-negative-judge mnist-negative-cycle mnist-negative-batch mnist-negative-game mnist-negative-distance mnist-negative-halves bags-shoes bags-shoes-distance; do {{edgegen}} train trainer/recipes/$name.toml --out {{out}}/$name $(test ! -d {{out}}/$name/checkpoint || echo --resume) || exit 1; done
    {{edgegen}} eval {{out}}/mnist-negative-cycle --judge {{out}}/mnist-negative-judge --beside {{out}}/mnist-negative-batch --beside {{out}}/mnist-negative-game --beside {{out}}/mnist-negative-distance --beside {{out}}/mnist-negative-halves --picture {{out}}/digits.png
    {{edgegen}} eval {{out}}/bags-shoes --beside {{out}}/bags-shoes-distance --picture {{out}}/bags.png
    {{edgegen}} eval {{out}}/bags-shoes/back --picture {{out}}/shoes.png

# Two digits of one kind from each latent vector, learned without pairs, and how often both are the same
cogan out="out/cogan":
    {{edgegen}} data fetch mnist
    for name in mnist-negative-judge mnist-negative-cogan; do {{edgegen}} train trainer/recipes/$name.toml --out {{out}}/$name $(test ! -d {{out}}/$name/checkpoint || echo --resume) || exit 1; done
    {{edgegen}} eval {{out}}/mnist-negative-cogan --judge {{out}}/mnist-negative-judge --picture {{out}}/pairs.png

# A WaveNet on drum hits, how many bits a sample takes by it and by how frequent each level is, and a hit on a simulated panel, made from its own samples: the emulated Pico takes longer than anyone waits
wavenet out="out/wavenet":
    {{edgegen}} train trainer/recipes/drums-wavenet.toml --out {{out}} $(test ! -d {{out}}/checkpoint || echo --resume)
    {{edgegen}} eval {{out}} --count 500
    {{edgegen}} export {{out}} -o {{out}}/wavenet.egm
    {{edgegen}} inspect {{out}}/wavenet.egm --board stm32f411-blackpill
    {{edgegen}} sim {{out}}/wavenet.egm --board pico --simulate --mode class=kick --sound {{out}}/kick.wav --photo {{out}}/panel.png

# Drum hits in one pass by a student of a WaveNet: how far it is from its teacher, how many times faster, and a hit on a board
parallel:
    for name in drums-wavenet drums-parallel; do {{edgegen}} train trainer/recipes/$name.toml --out runs/$name $(test ! -d runs/$name/checkpoint || echo --resume) || exit 1; done
    {{edgegen}} eval runs/drums-parallel --count 500
    {{edgegen}} compare runs/drums-wavenet runs/drums-parallel --measure --count 500 --gallery runs/drums-parallel/gallery.png --out runs/drums-parallel/passes.html
    {{edgegen}} export runs/drums-parallel --codes int16 -o runs/drums-parallel/parallel.egm
    {{edgegen}} inspect runs/drums-parallel/parallel.egm --board stm32f411-blackpill --count
    {{edgegen}} sim runs/drums-parallel/parallel.egm --board pico --mode class=kick --sound runs/drums-parallel/kick.wav --photo runs/drums-parallel/panel.png

# Speech from phones by the error alone, and from there as long again with a critic and without: error, global variance and modulation spectrum, and a sentence of each
speech out="out/speech":
    #!/bin/sh
    set -eu
    {{edgegen}} data fetch speech
    train() { {{edgegen}} train trainer/recipes/$1.toml --out {{out}}/$2 $(test -d {{out}}/$2/checkpoint && echo --resume || echo "$3"); }
    train speech-mge start ""
    train speech-mge mge "--from {{out}}/start"
    train speech speech "--from {{out}}/start"
    {{edgegen}} eval {{out}}/speech --beside {{out}}/mge --picture {{out}}/variance.png
    for name in mge speech; do {{edgegen}} sample {{out}}/$name --out {{out}}/$name.wav || exit 1; done

# A language in another without pairs: words in place and BLEU beside word by word, and whether round trips tell how good it is; then names of emoji
translate out="out/translate":
    {{edgegen}} data fetch emoji-names
    for name in languages emoji-names; do {{edgegen}} train trainer/recipes/$name-backtranslation.toml --out {{out}}/$name $(test ! -d {{out}}/$name/checkpoint || echo --resume) || exit 1; done
    for name in languages emoji-names; do {{edgegen}} eval {{out}}/$name && {{edgegen}} sample {{out}}/$name --out {{out}}/$name.png || exit 1; done

# What a linear classifier with 1000 labels reads out of a critic, beside pixels and an untrained critic
probe out="out/probe":
    {{edgegen}} data fetch mnist
    {{edgegen}} data fetch fashion-mnist
    for name in mnist-dcgan fashion-dcgan; do {{edgegen}} train trainer/recipes/$name.toml --out {{out}}/$name $(test ! -d {{out}}/$name/checkpoint || echo --resume) || exit 1; done
    for name in mnist-dcgan fashion-dcgan; do {{edgegen}} eval {{out}}/$name --probe --count 1000 || exit 1; done

# Clothes through systems of several years: a table and a gallery (an hour of training)
timeline out="out/timeline" recipes="fashion-gan fashion-dcgan fashion-edges-cogan":
    {{edgegen}} data fetch fashion-mnist
    for name in {{recipes}}; do {{edgegen}} train trainer/recipes/$name.toml --out {{out}}/$name $(test ! -d {{out}}/$name/checkpoint || echo --resume) || exit 1; done
    {{edgegen}} compare $(for name in {{recipes}}; do echo {{out}}/$name; done) --measure --gallery {{out}}/gallery.png --out {{out}}/timeline.html

# Digits by four families of models, each value in turn, a flow, an autoencoder and a game: samples, likelihoods or bounds, passes and time on one page
families out="out/families" recipes="mnist-made mnist-maf mnist-vae mnist-gan":
    {{edgegen}} data fetch mnist
    for name in {{recipes}}; do {{edgegen}} train trainer/recipes/$name.toml --out {{out}}/$name $(test ! -d {{out}}/$name/checkpoint || echo --resume) || exit 1; done
    {{edgegen}} compare $(for name in {{recipes}}; do echo {{out}}/$name; done) --measure --count 2000 --gallery {{out}}/gallery.png --out {{out}}/families.html

# Faces by captions, every tenth combination of hair and eyes held out, then how often each attribute is as asked for
words out="out/words":
    {{edgegen}} data fetch avatars
    {{edgegen}} train trainer/recipes/faces-words.toml --out {{out}}/faces $(test ! -d {{out}}/faces/checkpoint || echo --resume)
    {{edgegen}} eval {{out}}/faces
    {{edgegen}} sample {{out}}/faces --text "short red hair, glasses, laughing" --out {{out}}/text.png

# The same faces twice as large by a second stage, once `just words` is done
stack:
    {{edgegen}} train trainer/recipes/faces-stack.toml --out out/words/stack $(test ! -d out/words/stack/checkpoint || echo --resume)
    {{edgegen}} eval out/words/stack

# Two moons, and digits of 4 × 4 pixels, in one pass, learned from the densities of flows that take 2 and 16 a layer: the divergence of both
distil:
    {{edgegen}} data fetch mnist
    for name in moons-maf moons-iaf tiny-maf tiny-iaf; do {{edgegen}} train trainer/recipes/$name.toml --out runs/$name $(test ! -d runs/$name/checkpoint || echo --resume) || exit 1; done
    for name in moons-maf moons-iaf tiny-maf tiny-iaf; do {{edgegen}} eval runs/$name || exit 1; done

# A classifier of drawn digits, adapted to handwritten ones without labels, beside one that is not and one that has learned them
adda out="out/adda":
    {{edgegen}} data fetch mnist
    for name in glyphs-judge glyphs-mnist-adda; do {{edgegen}} train trainer/recipes/$name.toml --out {{out}}/$name $(test ! -d {{out}}/$name/checkpoint || echo --resume) || exit 1; done
    {{edgegen}} eval {{out}}/glyphs-mnist-adda --beside {{out}}/glyphs-judge --beside trainer/judges/mnist

# Drawn digits as handwritten ones by DTN, beside two that lack one of its losses and one that has a total variation, too
dtn:
    {{edgegen}} data fetch mnist
    for name in glyphs-judge glyphs-mnist-dtn glyphs-mnist-dtn-no-constancy glyphs-mnist-dtn-no-identity glyphs-mnist-dtn-variation; do {{edgegen}} train trainer/recipes/$name.toml --out out/dtn/$name $(test ! -d out/dtn/$name/checkpoint || echo --resume) || exit 1; done
    {{edgegen}} eval out/dtn/glyphs-mnist-dtn --beside out/dtn/glyphs-mnist-dtn-no-constancy --beside out/dtn/glyphs-mnist-dtn-no-identity --beside out/dtn/glyphs-mnist-dtn-variation --picture out/dtn/digits.png

# Fuzz the parser and the runtime for a minute each (needs nightly Rust, a C++ compiler and `cargo install cargo-fuzz`)
fuzz seconds="60":
    cd tests/fuzz && mkdir -p corpus/parse corpus/run
    cd tests && cargo +nightly fuzz run parse fuzz/corpus/parse fuzz/seeds/parse -- -max_total_time={{seconds}} -max_len=16384
    cd tests && cargo +nightly fuzz run run fuzz/corpus/run fuzz/seeds/run -- -max_total_time={{seconds}} -max_len=16384

# Write the small models that fuzzing starts from anew, after a change of the format
fuzz-seeds:
    cargo run --quiet --package edgegen-tests --bin fuzz-seeds -- tests/fuzz/seeds

# The runtime's tests and those of all host kernels with AddressSanitizer (needs nightly Rust)
asan:
    #!/bin/sh
    set -eu
    if ! cargo +nightly --version >/dev/null 2>&1; then
        echo "asan: skipped, there is no nightly Rust here: rustup toolchain install nightly" >&2
        exit 0
    fi
    host=$(rustc --print host-tuple)
    # By test programs, not by words of a test's name, which others may have, too.
    RUSTFLAGS=-Zsanitizer=address cargo +nightly test --quiet --target "$host" --target-dir target/asan \
        --package edgegen-runtime --package edgegen-kernel-check --lib --test sanitized
    if cargo +nightly miri --version >/dev/null 2>&1; then
        cargo +nightly miri test --quiet --package edgegen-runtime --lib
    else
        echo "asan: skipped Miri, which this nightly does not have: rustup +nightly component add miri" >&2
    fi

# Licences and advisories of all dependencies (needs cargo-deny; advisories need the network)
deny:
    #!/bin/sh
    set -eu
    if ! cargo deny --version >/dev/null 2>&1; then
        echo "deny: skipped, there is no cargo-deny here: cargo install --locked cargo-deny" >&2
        exit 0
    fi
    cargo deny check bans licenses sources
    if cargo deny fetch db >/dev/null 2>&1; then
        cargo deny check --disable-fetch advisories
    else
        echo "deny: skipped advisories, whose database cannot be fetched here" >&2
    fi

# Build on Burn's other devices (each over ten minutes)
check-devices:
    cargo check --package edgegen --features ndarray
    cargo check --package edgegen --features wgpu
