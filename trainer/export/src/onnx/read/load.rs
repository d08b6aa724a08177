//! The bytes of a file and of its weights.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{GraphProto, ModelProto, TensorProto};
use tract_onnx::prelude::Framework;

use super::OnnxError;

/// Values of one weight at most; a device has no room for a thousandth of that.
const MAX_WEIGHTS: usize = 1 << 26;

/// The call that makes an ONNX file, by framework.
const TORCH: &str = "load it in PyTorch and call torch.onnx.export(generator, (z,), \"generator.onnx\")";
const KERAS: &str = "load it in Keras and call model.export(\"generator.onnx\", format=\"onnx\")";
const TENSORFLOW: &str =
    "run python -m tf2onnx.convert (--saved-model, --graphdef or --tflite) --output generator.onnx";

/// What other files begin with, what they are and what to do with them. The numbers of HDF5, zip, TFLite, gzip and
/// pickle are from their specifications.
const FOREIGN: [(usize, &[u8], &str, &str); 5] = [
    (0, b"\x89HDF5\r\n\x1a\n", "a model of Keras (HDF5, .h5)", KERAS),
    (4, b"TFL3", "a model of TensorFlow Lite (.tflite)", TENSORFLOW),
    (0, b"\x80\x02", "a checkpoint of PyTorch (pickle, .pt or .pth)", TORCH),
    (0, b"GGUF", "a GGUF file", TORCH),
    (0, b"EGM1", "a model of edgegen (.egm)", "it is finished; give it to `edgegen sample` or `edgegen inspect`"),
];

/// The model in the bytes of a file.
pub(super) fn decode(bytes: &[u8]) -> Result<ModelProto, OnnxError> {
    if let Some((found, remedy)) = foreign(bytes) {
        return Err(OnnxError::Foreign { found, remedy });
    }
    let model = tract_onnx::onnx().proto_model_for_read(&mut &*bytes);
    let model = model.map_err(|error| OnnxError::File(one_line(&error.root_cause().to_string())))?;
    match &model.graph {
        // A GraphDef of TensorFlow is protobuf, too, and decodes to nothing.
        Some(graph) if !graph.node.is_empty() => Ok(model),
        _ => Err(OnnxError::File("there is no graph in it; a GraphDef (.pb) becomes ONNX by tf2onnx".into())),
    }
}

/// What kind of file it is, if it is none of ONNX, and what to do.
fn foreign(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let known =
        FOREIGN.iter().find(|(start, magic, ..)| bytes.get(*start..).is_some_and(|rest| rest.starts_with(magic)));
    if let Some(&(_, _, found, remedy)) = known {
        return Some((found, remedy));
    }
    if bytes.starts_with(b"PK\x03\x04") {
        // The names of a zip's files stand in it as they are, and again at its end.
        let holds = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
        return Some(if holds(b"data.pkl") {
            ("a checkpoint of PyTorch (.pt or .pth)", TORCH)
        } else if holds(b"model.weights.h5") || holds(b"config.json") {
            ("a model of Keras (.keras)", KERAS)
        } else {
            ("a zip file", "unpack it and give the .onnx file in it")
        });
    }
    // A safetensors file starts with the length of a JSON object.
    let safetensors = bytes.get(8) == Some(&b'{') && bytes.get(..8).is_some_and(|length| length[4..] == [0; 4]);
    safetensors.then_some(("weights without a network (.safetensors)", TORCH))
}

/// Loads the weights that lie in other files beside it, and makes floats of every width 32 bits wide.
pub(super) fn weights(model: &mut ModelProto, folder: Option<&Path>) -> Result<(), OnnxError> {
    let Some(graph) = &mut model.graph else { return Ok(()) };
    graph.initializer.iter_mut().try_for_each(|tensor| weight(tensor, folder))?;
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        attribute.t.iter_mut().chain(&mut attribute.tensors).try_for_each(|tensor| weight(tensor, folder))?;
    }
    single(graph);
    Ok(())
}

fn weight(tensor: &mut TensorProto, folder: Option<&Path>) -> Result<(), OnnxError> {
    let len = tensor.dims.iter().try_fold(1, |len: usize, &dim| len.checked_mul(usize::try_from(dim).ok()?));
    if len.is_none_or(|len| len > MAX_WEIGHTS) {
        return Err(OnnxError::Graph {
            place: format!("the weights {}", one_line(&tensor.name)),
            expected: format!("dimensions of at most {MAX_WEIGHTS} values"),
            found: format!("{:?}", tensor.dims),
            remedy: "the file is damaged: write it again".into(),
        });
    }
    if tensor.data_location == Some(DataLocation::External as i32) {
        tensor.raw_data = beside(tensor, folder)?;
        tensor.data_location = None;
        tensor.external_data.clear();
    }
    widen(tensor);
    checked(tensor, len.unwrap_or(0))
}

/// The bytes of weights in another file.
fn beside(tensor: &TensorProto, folder: Option<&Path>) -> Result<Vec<u8>, OnnxError> {
    let entry = |wanted: &str| tensor.external_data.iter().find(|it| it.key == wanted).map(|it| it.value.as_str());
    let location = Path::new(entry("location").unwrap_or(""));
    let inside = location.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !inside || location.as_os_str().is_empty() {
        return Err(OnnxError::Graph {
            place: format!("the weights {}", one_line(&tensor.name)),
            expected: "the name of a file beside the model".into(),
            found: format!("{location:?}"),
            remedy: "save the model again, with its weights beside it".into(),
        });
    }
    let path = folder.unwrap_or(Path::new("")).join(location);
    let number = |wanted: &str| entry(wanted).and_then(|text| text.parse::<u64>().ok());
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(&path)?;
        let size = file.metadata()?.len();
        let offset = number("offset").unwrap_or(0);
        let length = number("length").unwrap_or(size.saturating_sub(offset));
        if offset.checked_add(length).is_none_or(|end| end > size) {
            let found = format!("{length} bytes from {offset} on in a file of {size}");
            return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, found));
        }
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| OnnxError::Path {
        path: path.display().to_string(),
        error: error.to_string(),
        remedy: "it holds weights of the model: put it beside the model",
    })
}

/// Makes half precision, bfloat16 and double 32 bits wide.
fn widen(tensor: &mut TensorProto) {
    // Where there are no raw bytes, 16-bit numbers stand in 32 bits each.
    let halves = |tensor: &TensorProto| -> Vec<u16> {
        if tensor.raw_data.is_empty() {
            tensor.int32_data.iter().map(|&bits| bits as u16).collect()
        } else {
            tensor.raw_data.as_chunks().0.iter().map(|&bytes| u16::from_le_bytes(bytes)).collect()
        }
    };
    let floats: Vec<f32> = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float16) => halves(tensor).into_iter().map(half).collect(),
        Ok(DataType::Bfloat16) => {
            halves(tensor).into_iter().map(|bits| f32::from_bits(u32::from(bits) << 16)).collect()
        }
        Ok(DataType::Double) if tensor.raw_data.is_empty() => tensor.double_data.iter().map(|&x| x as f32).collect(),
        Ok(DataType::Double) => {
            tensor.raw_data.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32).collect()
        }
        _ => return,
    };
    tensor.data_type = DataType::Float as i32;
    tensor.int32_data.clear();
    tensor.double_data.clear();
    tensor.raw_data = floats.iter().flat_map(|x| x.to_le_bytes()).collect();
}

/// A number of IEEE 754 binary16.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (fraction + 1024.0) * 2f32.powi(exponent - 25),
    }
}

/// Refuses a tensor that has not as many values as its dimensions say.
fn checked(tensor: &TensorProto, len: usize) -> Result<(), OnnxError> {
    let width = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float | DataType::Int32 | DataType::Uint32) => 4,
        Ok(DataType::Int64 | DataType::Uint64 | DataType::Double) => 8,
        Ok(DataType::Int8 | DataType::Uint8 | DataType::Bool) => 1,
        Ok(DataType::Int16 | DataType::Uint16) => 2,
        _ => return Ok(()),
    };
    let found = match tensor.raw_data.len() {
        0 => tensor.float_data.len() + tensor.int32_data.len() + tensor.int64_data.len() + tensor.double_data.len(),
        bytes => bytes / width,
    };
    // Unsigned 64-bit numbers have a list of their own, which nothing here reads.
    if found == len || tensor.raw_data.is_empty() && tensor.data_type == DataType::Uint64 as i32 {
        return Ok(());
    }
    Err(OnnxError::Graph {
        place: format!("the weights {}", one_line(&tensor.name)),
        expected: format!("as many values as {:?} says", tensor.dims),
        found: format!("{found} values"),
        remedy: "the file is damaged: write it again".into(),
    })
}

/// Makes inputs, outputs and casts of other floats 32 bits wide.
fn single(graph: &mut GraphProto) {
    let wide = [DataType::Float16 as i32, DataType::Bfloat16 as i32, DataType::Double as i32];
    let float = DataType::Float as i32;
    for info in graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info) {
        if let Some(tract_onnx::pb::type_proto::Value::TensorType(tensor)) =
            info.r#type.as_mut().and_then(|kind| kind.value.as_mut())
            && wide.contains(&tensor.elem_type)
        {
            tensor.elem_type = float;
        }
    }
    for node in &mut graph.node {
        for attribute in &mut node.attribute {
            let names_a_type = matches!(attribute.name.as_str(), "to" | "dtype" | "stash_type");
            if names_a_type && wide.iter().any(|&kind| i64::from(kind) == attribute.i) {
                attribute.i = i64::from(float);
            }
        }
    }
}

/// Text without line breaks, and not too much of it.
pub(super) fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 240 { line } else { line.chars().take(240).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision() {
        for (bits, value) in
            [(0x3C00, 1.0), (0xC000, -2.0), (0x0001, 5.960_464_5e-8), (0x7BFF, 65504.0), (0x3555, 0.333_251_95)]
        {
            assert_eq!(half(bits), value);
        }
    }

    #[test]
    fn other_files_are_told_by_name() {
        let zip = |name: &str| [b"PK\x03\x04", name.as_bytes()].concat();
        for (bytes, name) in [
            (zip("archive/data.pkl"), "PyTorch"),
            (zip("model.weights.h5"), "Keras"),
            (b"\x89HDF5\r\n\x1a\n".to_vec(), "Keras"),
            (b"\x1c\0\0\0TFL3".to_vec(), "TensorFlow Lite"),
            (b"\x40\0\0\0\0\0\0\0{\"a\":1}".to_vec(), "safetensors"),
        ] {
            let error = decode(&bytes).expect_err("no ONNX file").to_string();
            assert!(error.contains(name) && !error.contains('\n'), "{error}");
        }
    }
}
