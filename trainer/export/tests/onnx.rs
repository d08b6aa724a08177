//! ONNX files as people's exporters write them (`tests/onnx/exporters`), and small ones with an operator or two each
//! (`tests/onnx/files`, by `tests/onnx/make.py`, with what onnxruntime makes of them).
#![cfg(feature = "onnx")]

use std::path::{Path, PathBuf};

use edgegen_export::compare::compare;
use edgegen_export::layers::{Input, Layer, PixelRange};
use edgegen_export::onnx::read::{self, Assume, AssumedPrior, AssumedRange, Import};
use edgegen_export::{Label, ModelFile, export};
use edgegen_runtime::graph::{Prior, Shape};

const LABEL: Label<'_> = Label { name: "test", metadata: &[] };

/// Examples that the command calibrates on.
const EXAMPLES: usize = 256;

/// How far the float graph may be from the file.
const TOLERANCE: f32 = 1e-4;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/onnx").join(name)
}

fn exporter(name: &str, assume: &Assume) -> Result<Import, String> {
    let path = folder("exporters").join(name).with_extension("onnx");
    read::from_path(&path, assume).map_err(|error| error.to_string())
}

/// Values for the inputs of a network: latent values between −2 and 2, class 1.
fn values(import: &Import) -> Vec<Vec<f32>> {
    let wave = |count: usize| (0..count).map(|i| 2.0 * libm::sinf(1.7 * i as f32 + 0.3)).collect();
    let value = |input: &Input| match input {
        Input::Latent(latent) => wave(latent.width()),
        Input::Class { classes, .. } => (0..*classes).map(|class| f32::from(u8::from(class == 1))).collect(),
        Input::Image { shape, .. } | Input::Noise { shape, .. } => wave(shape.len()),
        Input::Constant { .. } => vec![],
        Input::Style { .. } | Input::Mix { .. } | Input::Previous { .. } => {
            unreachable!("files of others have no such inputs")
        }
    };
    import.oracle.inputs().iter().map(value).collect()
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The network must make what tract makes of the file.
fn agrees(name: &str, import: &Import) {
    let inputs = values(import);
    let found = import.network.forward(&inputs).expect("the network fits together").values;
    let expected = import.oracle.run(&inputs).expect("tract runs the file");
    let distance = distance(&found, &expected);
    assert!(distance <= TOLERANCE, "{name}: {distance}");
}

#[test]
fn files_of_exporters() {
    for name in [
        "01_torch_default_external_data",
        "02_unsqueeze_latent",
        "03_linear_bn1d_relu_view_legacy",
        "04_view_size0_dynamic_batch_legacy",
        "05_untrained_dcgan_identity_of_weights_legacy",
        "06_linear_without_bias_matmul_legacy",
        "07_cgan_embedding_two_inputs",
        "08_tanh_plus_1_half",
        "09_clamp_0_1",
        "10_relu_last",
        "13_nhwc_28x28x1",
        "14_bn_after_relu",
        "15_upsample_bn_relu_conv",
        "16_skip_add",
        "17_static_batch_16",
        "18_elu",
        "18_gelu",
        "18_hardtanh",
        "18_prelu",
        "18_silu",
        "20_permute_nhwc_last",
        "21_fp16",
        "22_bilinear",
        "23_nn_unflatten_legacy",
        "25_keras_io_vae_decoder",
        "ct_asym",
        "shape_chain_17",
    ] {
        let import = exporter(name, &Assume::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        agrees(name, &import);
    }
}

#[test]
fn files_of_one_operator_each_as_onnxruntime_runs_them() {
    let files = std::fs::read_dir(folder("files")).expect("the folder is there");
    let mut count = 0;
    for path in
        files.map(|entry| entry.expect("a file").path()).filter(|path| path.extension().is_some_and(|it| it == "onnx"))
    {
        let import = read::from_path(&path, &Assume::default()).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let bytes = std::fs::read(path.with_extension("f32")).expect("onnxruntime's answer");
        let mut numbers = bytes.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word));
        let len = |input: &Input| match input {
            Input::Latent(latent) => latent.width(),
            Input::Class { classes, .. } => *classes,
            Input::Image { shape, .. } | Input::Noise { shape, .. } => shape.len(),
            Input::Constant { .. } => 0,
            Input::Style { .. } | Input::Mix { .. } | Input::Previous { .. } => {
                unreachable!("files of others have no such inputs")
            }
        };
        let inputs: Vec<Vec<f32>> =
            import.oracle.inputs().iter().map(|input| numbers.by_ref().take(len(input)).collect()).collect();
        let picture: Vec<f32> = numbers.collect();
        let found = import.network.forward(&inputs).unwrap_or_else(|error| panic!("{path:?}: {error}")).values;
        let far = distance(&found, &picture);
        assert!(far <= TOLERANCE, "{path:?}: {far} from onnxruntime");
        let far = distance(&import.oracle.run(&inputs).expect("tract runs the file"), &picture);
        assert!(far <= TOLERANCE, "{path:?}: tract is {far} from onnxruntime");
        count += 1;
    }
    assert!(count >= 60, "{count} files");
}

#[test]
fn what_is_not_in_the_file_is_asked_for() {
    let none = Assume::default();
    for (name, option) in
        [("11_logits_last", "--range"), ("12_flat_784", "--shape"), ("19_image_to_image_free_size", "--shape")]
    {
        let error = exporter(name, &none).expect_err(name);
        assert!(error.contains(option) && !error.contains('\n'), "{error}");
    }
    let logits = Assume { range: Some(AssumedRange::Logits), ..Assume::default() };
    let import = exporter("11_logits_last", &logits).expect("with a range");
    assert_eq!(import.network.pixels, PixelRange::Unit);
    agrees("11_logits_last", &import);

    let flat = Assume { shape: Some(Shape { h: 28, w: 28, c: 1 }), ..Assume::default() };
    let import = exporter("12_flat_784", &flat).expect("with a shape");
    assert_eq!(import.network.output().expect("it fits together"), Shape { h: 28, w: 28, c: 1 });
    agrees("12_flat_784", &import);

    let image = Assume { range: Some(AssumedRange::Pixels(PixelRange::Unit)), ..flat };
    let import = exporter("19_image_to_image_free_size", &image).expect("with a shape and a range");
    assert_eq!(import.network.output().expect("it fits together"), Shape { h: 84, w: 84, c: 1 });
    agrees("19_image_to_image_free_size", &import);
}

#[test]
fn what_was_assumed_is_told_with_the_reason() {
    let notes = |name: &str| exporter(name, &Assume::default()).expect(name).notes.join("\n");
    assert!(notes("02_unsqueeze_latent").contains("range −1 … 1: /5/Tanh (Tanh)"));
    assert!(notes("08_tanh_plus_1_half").contains("range 0 … 1"));
    assert!(notes("09_clamp_0_1").contains("(Clip)"));
    assert!(notes("10_relu_last").contains("--range"));
    assert!(notes("17_static_batch_16").contains("16 images"));
    assert!(notes("02_unsqueeze_latent").contains("--prior"));
}

#[test]
fn priors() {
    for (prior, distribution) in [
        (AssumedPrior::Gaussian, Prior::Gaussian),
        (AssumedPrior::Uniform, Prior::Uniform),
        (AssumedPrior::Uniform01, Prior::Uniform),
    ] {
        let import = exporter("13_nhwc_28x28x1", &Assume { prior: Some(prior), ..Assume::default() }).expect("a prior");
        assert_eq!(import.network.latent().expect("a latent vector").prior, distribution);
        agrees("13_nhwc_28x28x1", &import);
    }
}

#[test]
fn files_that_contradict_themselves_are_refused_at_once() {
    for (name, node) in [
        ("ct_kernel_mismatch", "ct (ConvTranspose)"),
        ("huge_stride", "ct (ConvTranspose)"),
        ("bomb_16384", "up6 (ConvTranspose)"),
    ] {
        let start = std::time::Instant::now();
        let error = exporter(name, &Assume::default()).expect_err(name);
        assert!(error.contains(node) && !error.contains('\n'), "{error}");
        assert!(start.elapsed().as_secs() < 5, "{name}");
    }
}

#[test]
fn damaged_files_are_refused_without_a_panic() {
    let bytes = std::fs::read(folder("exporters").join("16_skip_add.onnx")).expect("the file");
    for end in (0..bytes.len()).step_by(97) {
        let _ = read::from_bytes(&bytes[..end], None, &Assume::default());
    }
    for place in (0..bytes.len()).step_by(41) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x55;
        if let Ok(import) = read::from_bytes(&damaged, None, &Assume::default()) {
            import.network.output().expect("what is read fits together");
        }
    }
}

#[test]
fn normalizations_are_known_however_they_are_written() {
    for name in [
        "instance",
        "group",
        "layer",
        "group_by_instances",
        "layer_channels_last",
        "rms_channels_last",
        "pixel",
        "layer_tensorflow",
        "group_flax",
        "style",
    ] {
        let path = folder("files").join(name).with_extension("onnx");
        let import = read::from_path(&path, &Assume::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let normalizes = |layer: &Layer| matches!(layer, Layer::Normalize { .. });
        assert!(import.network.nodes.iter().any(|node| normalizes(&node.layer)), "{name}");
    }
}

#[test]
fn noise_is_an_input() {
    let gaussian = |h, w, c, number| Input::Noise { shape: Shape { h, w, c }, prior: Prior::Gaussian, number };
    let uniform = |h, w, c, number| Input::Noise { shape: Shape { h, w, c }, prior: Prior::Uniform, number };
    for (name, expected) in [
        ("normal_like", vec![gaussian(4, 4, 1, 0), gaussian(4, 4, 4, 1)]),
        ("normal", vec![gaussian(4, 4, 1, 0)]),
        ("uniform_like", vec![uniform(4, 4, 1, 0), uniform(4, 4, 4, 1)]),
        // For 16 images at a time.
        ("uniform_batch", vec![uniform(4, 4, 1, 0)]),
    ] {
        let path = folder("noise").join(name).with_extension("onnx");
        let import = read::from_path(&path, &Assume::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(import.oracle.inputs()[1..], expected, "{name}");
        assert!(import.notes.iter().any(|note| note.contains("noise of 4×4×1 from the seed")), "{:?}", import.notes);
        agrees(name, &import);
        // To the end: the device draws what the float network draws from the same seeds.
        let exported = export(&import.network, 96, LABEL).expect("it can be exported");
        let comparison = compare(&import.network, &exported, 24, 1000).expect("and compared");
        assert!(comparison.psnr_db > 35.0, "{name}: {} dB", comparison.psnr_db);
    }
}

/// The model file beside the folder is the one that `tests/pico.rs` shows on a board.
#[test]
fn a_residual_network_from_picture_to_picture() {
    let import = read::from_path(&folder("files").join("outlines.onnx"), &Assume::default()).expect("it is read");
    let label = Label { name: "outlines", metadata: &[("source", "ONNX")] };
    let exported = export(&import.network, EXAMPLES, label).expect("it can be exported");
    let comparison = compare(&import.network, &exported, 24, 1000).expect("and compared");
    assert!(comparison.psnr_db > 35.0, "{} dB", comparison.psnr_db);
    let file = ModelFile::read(&folder("outlines.egm")).expect("the file is there");
    let same = file.bytes() == exported.file.bytes();
    assert!(same, "edgegen export tests/onnx/files/outlines.onnx -o tests/onnx/outlines.egm");
}

/// At 64×64 every example once showed the same few values, and it was 52.5 dB.
#[test]
fn a_network_of_free_size_is_quantized_as_well_at_each_size() {
    let range = Some(AssumedRange::Pixels(PixelRange::Unit));
    for side in [28, 32, 64] {
        let shape = Some(Shape { h: side, w: side, c: 1 });
        let import = exporter("19_image_to_image_free_size", &Assume { shape, range, ..Assume::default() });
        let network = import.expect("with a shape and a range").network;
        let exported = export(&network, EXAMPLES, LABEL).expect("it can be exported");
        let psnr = compare(&network, &exported, 24, 1_000_000).expect("and compared").psnr_db;
        assert!(psnr > 55.0, "{psnr} dB at {side}×{side}");
    }
}
