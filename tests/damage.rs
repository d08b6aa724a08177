//! Damaged and hostile model files: `parse` answers with an error, never with a panic, and what it accepts runs.

use edgegen_export::{Label, ModelFile, export, pack};
use edgegen_runtime::format::{HEADER_LEN, VERSION, field};
use edgegen_runtime::graph::{Border, Input, NODE_BYTES, Node, Phase, Phases, Product, Read, Source};
use edgegen_runtime::{Generator, Model, ParseError, error::Fault};
use edgegen_tests::{Plan, cases, network, plan};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// A small valid file with convolutions in it.
fn valid() -> ModelFile {
    let mut runner = TestRunner::deterministic();
    let plan = (0..100).map(|_| plan().new_tree(&mut runner).unwrap().current());
    let files =
        plan.map(|plan: Plan| export(&network(&plan), 2, Label { name: "small", metadata: &[("key", "value")] }));
    files
        .map(|exported| exported.unwrap().file)
        .find(|file| {
            let model = Model::parse(file.bytes()).unwrap();
            // A fully connected layer, and convolutions one after the other up to the image.
            let [.., before, image] = model.nodes() else { return false };
            let is_convolution =
                |node: &Node| node.parameters().is_some_and(|p: &Product| !p.columns.phases.is_empty());
            model.nodes()[1].ring_rows > 1 && is_convolution(before) && is_convolution(image)
        })
        .unwrap()
}

#[test]
fn every_flipped_bit_is_found() {
    let file = valid();
    // But for the low bits of the minor version: a file of version 3.0 is read in the same way if it says 3.1 or 3.4,
    // and one of 3.5 if it says 3.1.
    let harmless = |bytes: &[u8]| {
        let same = bytes.iter().zip(file.bytes()).enumerate().all(|(i, (a, b))| a == b || field::MINOR.contains(&i));
        same && u16::from_le_bytes(bytes[field::MINOR].try_into().unwrap()) <= VERSION.1
    };
    for bit in 0..8 * file.bytes().len() {
        let mut bytes = file.bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let read = Model::parse(ModelFile::new(&bytes).bytes()).is_ok();
        assert_eq!(read, harmless(&bytes), "bit {bit}");
    }
}

#[test]
fn every_cut_is_found() {
    let file = valid();
    for len in 0..file.bytes().len() {
        let found = len as u64;
        match Model::parse(ModelFile::new(&file.bytes()[..len]).bytes()) {
            Err(ParseError::Length { found: reported, .. }) => assert_eq!(reported, found),
            other => panic!("{len} bytes: {other:?}"),
        }
    }
    let mut longer = file.bytes().to_vec();
    longer.push(0);
    assert!(matches!(Model::parse(ModelFile::new(&longer).bytes()), Err(ParseError::Length { .. })));
}

#[test]
fn headers_are_refused_by_name() {
    let file = valid();
    let with = |range: std::ops::Range<usize>, bytes: &[u8]| {
        let mut changed = file.bytes().to_vec();
        changed[range].copy_from_slice(bytes);
        Model::parse(ModelFile::new(&changed).bytes()).unwrap_err()
    };
    assert_eq!(with(field::MAGIC, b"GIF8"), ParseError::Magic { found: *b"GIF8" });
    assert_eq!(with(field::MAJOR, &[2, 0]), ParseError::Version { expected: VERSION, found: (2, 0) });
    assert_eq!(
        with(field::MINOR, &[VERSION.1 as u8 + 1, 0]),
        ParseError::Version { expected: VERSION, found: (3, VERSION.1 + 1) }
    );
    for hostile in [u32::MAX, u32::MAX - 15, 1 << 31, 0] {
        assert!(matches!(with(field::ABOUT_LEN, &hostile.to_le_bytes()), ParseError::Length { .. }));
        assert!(matches!(with(field::DATA_LEN, &hostile.to_le_bytes()), ParseError::Length { .. }));
    }
    assert!(matches!(with(field::CRC, &[0; 4]), ParseError::Checksum { expected: 0, .. }));

    let mut padded = vec![0; 4];
    padded.extend(file.bytes());
    let padded = ModelFile::new(&padded);
    assert_eq!(Model::parse(&padded.bytes()[4..]).unwrap_err(), ParseError::Misaligned);
}

/// Parses a file with a valid checksum whose nodes were changed, and runs it if it is accepted.
fn parse_changed(file: &ModelFile, change: impl FnOnce(&mut Vec<Node>)) -> Result<(), ParseError> {
    let model = Model::parse(file.bytes()).unwrap();
    let mut nodes = model.nodes().to_vec();
    change(&mut nodes);
    let changed = ModelFile::new(&pack::assemble(&nodes, &model.about(), model.packing(), model.data()));
    run(&Model::parse(changed.bytes())?);
    Ok(())
}

fn run(model: &Model<'_>) {
    // Hostile rings may be large; what matters is that no index is out of bounds in those that fit.
    if model.arena_bytes() < 1 << 22 && model.output().len() < 1 << 22 {
        let mut arena = vec![0; model.arena_bytes()];
        let mut generator = Generator::new(model, &mut arena).unwrap();
        let mut rows = generator.sample(1);
        let mut count = 0;
        while let Some(row) = rows.next_row() {
            assert_eq!(row.len(), model.output().row_len());
            count += 1;
        }
        assert_eq!(count, model.output().h);
    }
}

/// The fault that is found where `change` was made to a valid file, and the node where it is.
fn fault_of(change: impl FnOnce(&mut Vec<Node>)) -> (u16, Fault) {
    match parse_changed(&valid(), change) {
        Err(ParseError::Node { node, fault }) => (node, fault),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rules_of_the_graph() {
    let fault = |change: fn(&mut Vec<Node>)| fault_of(change).1;
    assert_eq!(fault(|nodes| nodes.truncate(0)), Fault::Count);
    assert_eq!(fault(|nodes| nodes.truncate(1)), Fault::Count);
    assert_eq!(fault(|nodes| nodes[1].read_count = 0), Fault::Count);
    assert_eq!(fault(|nodes| nodes[1].read_count = 200), Fault::Count);
    assert_eq!(fault(|nodes| nodes[1].kind = 77), Fault::Kind);
    assert_eq!(fault(|nodes| nodes[1].shape.h = 0), Fault::Shape);
    assert_eq!(fault(|nodes| nodes[1].ring_rows -= 1), Fault::Ring);
    assert_eq!(fault(|nodes| nodes[1].ring_rows = 0), Fault::Ring);
    assert_eq!(fault(|nodes| nodes[1].ring_rows = u16::MAX), Fault::Ring);
    assert_eq!(fault(|nodes| nodes[1].ring += 4), Fault::Ring);
    assert_eq!(fault(|nodes| nodes.last_mut().unwrap().padding.left = 1), Fault::Padding);
    assert_eq!(fault(|nodes| nodes[1].border = 9), Fault::Padding);
    assert_eq!(fault(|nodes| (nodes[1].border, nodes[1].padding.top) = (Border::Reflect as u8, 255)), Fault::Padding);
    assert_eq!(fault(|nodes| nodes.last_mut().unwrap().rounding.channels = 0xFFFF_FFF0), Fault::Data);
    assert_eq!(fault(|nodes| nodes.last_mut().unwrap().rounding.table = 0xFFFF_FFF0), Fault::Data);
    assert_eq!(
        fault(|nodes| {
            let r = &mut nodes.last_mut().unwrap().rounding;
            (r.low, r.high) = (1, 0)
        }),
        Fault::Range
    );
    // The last is the image, whose codes are bytes; another node must not make −128.
    assert_eq!(fault(|nodes| (nodes[1].rounding.low, nodes[1].rounding.table) = (-128, u32::MAX)), Fault::Range);
}

#[test]
fn rules_of_what_is_read() {
    let fault = |change: fn(&mut Read)| fault_of(|nodes| change(&mut nodes.last_mut().unwrap().reads[0])).1;
    assert_eq!(fault(|read| read.source = u16::MAX), Fault::Source);
    // Itself: graphs have no circles.
    assert_eq!(fault(|read| read.source += 1), Fault::Source);
    assert_eq!(fault(|read| read.rows.step = 0), Fault::Window);
    assert_eq!(fault(|read| read.rows.phases = Phases::default()), Fault::Window);
    assert_eq!(fault(|read| read.rows.dilation = 0), Fault::Window);
    assert_eq!(fault(|read| read.rows.phases[0].taps = 60_000), Fault::Padding);
    assert_eq!(fault(|read| read.rows.phases[0].start = i16::MIN), Fault::Padding);
}

#[test]
fn rules_of_products_and_inputs() {
    let fault = |change: fn(&mut Product)| {
        fault_of(|nodes| {
            let image = nodes.last_mut().unwrap();
            let mut product = *image.parameters().unwrap();
            change(&mut product);
            image.set_parameters(&product);
        })
        .1
    };
    assert_eq!(fault(|product| product.weights += 1), Fault::Data);
    assert_eq!(fault(|product| product.weights = 0xFFFF_FFF0), Fault::Data);
    assert_eq!(fault(|product| product.groups = 1000), Fault::Shape);
    assert_eq!(fault(|product| product.columns.step = 0), Fault::Window);
    assert_eq!(fault(|product| product.columns.phases[0].start = i16::MIN), Fault::Padding);
    let fault = |change: fn(&mut Input)| {
        fault_of(|nodes| {
            let mut input = *nodes[0].parameters().unwrap();
            change(&mut input);
            nodes[0].set_parameters(&input);
        })
    };
    assert_eq!(fault(|input| input.source = 99), (0, Fault::Kind));
    assert_eq!(fault(|input| input.prior = 99), (0, Fault::Shape));
    assert_eq!(fault(|input| input.dims += 1), (0, Fault::Shape));
    assert_eq!(fault(|input| (input.source, input.prior) = (Source::Noise as u16, 99)), (0, Fault::Shape));
    fn with_pictures(input: &mut Input, pictures: u16, values: u32) {
        *input = Input { source: Source::Fed as u16, pictures, values, ..*input };
    }
    assert_eq!(fault(|input| with_pictures(input, 1, 0xFFFF_FFF0)), (0, Fault::Data));
    assert_eq!(fault(|input| with_pictures(input, 65_535, 0)), (0, Fault::Data));
    assert_eq!(fault(|input| with_pictures(input, 1, 8)), (0, Fault::Data));
}

#[test]
fn hostile_graphs_end_soon() {
    // As many nodes as the header can count, and one that would take minutes to rehearse.
    let many = |nodes: &mut Vec<Node>| nodes.resize(65_535, nodes[0]);
    assert_eq!(fault_of(many), (0, Fault::Count));
    let high = |nodes: &mut Vec<Node>| {
        nodes.resize(255, nodes[0]);
        nodes.iter_mut().for_each(|node| (node.shape.h, node.ring) = (65_535, 0));
    };
    assert!(matches!(fault_of(high).1, Fault::Size | Fault::Ring));
    let gigabytes = |nodes: &mut Vec<Node>| (nodes[1].shape.w, nodes[1].shape.c) = (65_535, 65_535);
    assert_eq!(fault_of(gigabytes), (1, Fault::Size));
}

/// One random change of a number somewhere in the graph.
fn mutate(nodes: &mut [Node], place: usize, value: u32) {
    let count = nodes.len();
    let node = &mut nodes[place % count];
    let (byte, short) = (value as u8, value as u16);
    match place / count % 24 {
        0 => node.shape.h = short,
        1 => node.shape.w = short,
        2 => node.shape.c = short,
        3 => node.padding.top = byte,
        4 => node.padding.bottom = byte,
        5 => node.padding.left = byte,
        6 => node.padding.right = byte,
        7 => node.ring_rows = short,
        8 => node.zero_point = byte as i8,
        9 => node.border = byte % 4,
        10 => node.kind = byte % 6,
        11 => node.read_count = byte % 4,
        12 => node.ring = value,
        13 => node.rounding.channels = value & !15,
        14 => node.rounding.table = value & !15,
        15 => node.rounding.shared ^= 1,
        16 => node.rounding.low = byte as i8,
        17 => node.reads[place % 2].source = short % count as u16,
        18 => node.reads[0].rows.step = short,
        19 => node.reads[0].rows.dilation = short,
        20 => {
            let phase = Phase { start: short as i16, taps: (value >> 16) as u16 };
            let more = [&node.reads[0].rows.phases[..], &[phase]].concat();
            node.reads[0].rows.phases = Phases::try_from(&*more).unwrap_or(node.reads[0].rows.phases);
        }
        21 => node.reads[0].rows.phases.iter_mut().for_each(|phase| phase.start = short as i16),
        22 => node.reads[0].rows.phases.iter_mut().for_each(|phase| phase.taps = short),
        _ => {
            let words = node.parameters.len();
            node.parameters[place / 7 % words] = value;
        }
    }
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn changed_graphs_are_refused_or_run(changes in prop::collection::vec((any::<usize>(), prop_oneof![0u32..300, any::<u32>()]), 1..4)) {
        let file = VALID.with(Clone::clone);
        let _ = parse_changed(&file, |nodes| changes.iter().for_each(|&(place, value)| mutate(nodes, place, value)));
    }

    #[test]
    fn random_graph_bytes_are_refused_or_run(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let file = VALID.with(Clone::clone);
        let mut bytes = file.bytes().to_vec();
        let nodes = usize::from(u16::from_le_bytes(bytes[field::NODES].try_into().unwrap()));
        for (index, value) in changes {
            bytes[HEADER_LEN + index.index(nodes * NODE_BYTES)] = value;
        }
        let crc = edgegen_runtime::format::checksum(&bytes[field::CHECKED..]);
        bytes[field::CRC].copy_from_slice(&crc.to_le_bytes());
        if let Ok(model) = Model::parse(ModelFile::new(&bytes).bytes()) {
            run(&model);
        }
    }
}

thread_local! {
    static VALID: ModelFile = valid();
}
