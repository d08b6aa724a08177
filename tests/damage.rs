//! Damaged and hostile model files: `parse` answers with an error, never with a panic, and what it accepts runs.

use edgegen_export::{Label, ModelFile, export, pack};
use edgegen_runtime::graph::{Edge, Graph, Op, Phase, Phases};
use edgegen_runtime::model::{HEADER_LEN, field};
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
            let graph = Model::parse(file.bytes()).unwrap().graph();
            graph.ops.len() >= 3 && graph.edges[1].ring_rows > 1
        })
        .unwrap()
}

#[test]
fn every_flipped_bit_is_found() {
    let file = valid();
    for bit in 0..8 * file.bytes().len() {
        let mut bytes = file.bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Model::parse(ModelFile::new(&bytes).bytes()).is_err(), "bit {bit}");
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
    assert_eq!(with(field::MAJOR, &[3, 0]), ParseError::Version { major: 3, minor: 0 });
    assert_eq!(with(field::MINOR, &[1, 0]), ParseError::Version { major: 2, minor: 1 });
    for hostile in [u32::MAX, u32::MAX - 15, 1 << 31, 0] {
        assert!(matches!(with(field::GRAPH_LEN, &hostile.to_le_bytes()), ParseError::Length { .. }));
        assert!(matches!(with(field::DATA_LEN, &hostile.to_le_bytes()), ParseError::Length { .. }));
    }
    assert!(matches!(with(field::CRC, &[0; 4]), ParseError::Checksum { expected: 0, .. }));

    let mut padded = vec![0; 4];
    padded.extend(file.bytes());
    let padded = ModelFile::new(&padded);
    assert_eq!(Model::parse(&padded.bytes()[4..]).unwrap_err(), ParseError::Misaligned);
}

/// Parses a file with a valid checksum whose graph was changed, and runs it if it is accepted.
fn parse_changed(file: &ModelFile, change: impl FnOnce(&mut Graph<'_>)) -> Result<(), ParseError> {
    let model = Model::parse(file.bytes()).unwrap();
    let mut graph = model.graph();
    change(&mut graph);
    let changed = ModelFile::new(&pack::assemble(&graph, model.packing(), model.data()));
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

#[test]
fn rules_of_the_graph() {
    let file = valid();
    let fault = |change: fn(&mut Graph<'_>)| match parse_changed(&file, change) {
        Err(ParseError::Edge { fault, .. }) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(|graph| graph.edges.truncate(1)), Fault::Count);
    assert_eq!(
        fault(|graph| {
            graph.ops.clear();
            graph.edges.truncate(1)
        }),
        Fault::Count
    );
    assert_eq!(fault(|graph| graph.edges[1].shape.h = 0), Fault::Shape);
    assert_eq!(fault(|graph| graph.latent.dims += 1), Fault::Shape);
    assert_eq!(fault(|graph| graph.edges[1].ring_rows -= 1), Fault::Ring);
    assert_eq!(fault(|graph| graph.edges[1].ring_rows = 0), Fault::Ring);
    assert_eq!(fault(|graph| graph.edges[1].ring_rows = u16::MAX), Fault::Ring);
    assert_eq!(fault(|graph| graph.edges.last_mut().unwrap().padding.left = 1), Fault::Padding);
    let conv = |graph: &mut Graph<'_>, change: fn(&mut edgegen_runtime::graph::PhaseConv)| match graph.ops.last_mut() {
        Some(Op::PhaseConv(conv)) => change(conv),
        other => panic!("{other:?}"),
    };
    let fault =
        |change: fn(&mut edgegen_runtime::graph::PhaseConv)| match parse_changed(&file, |graph| conv(graph, change)) {
            Err(ParseError::Edge { fault, .. }) => fault,
            other => panic!("{other:?}"),
        };
    assert_eq!(fault(|conv| conv.source = 200), Fault::Source);
    assert_eq!(fault(|conv| conv.source += 1), Fault::Source);
    assert_eq!(fault(|conv| conv.vertical.step = 0), Fault::Window);
    assert_eq!(fault(|conv| conv.horizontal.phases = Phases::default()), Fault::Window);
    assert_eq!(fault(|conv| conv.vertical.phases[0].taps = 200), Fault::Padding);
    assert_eq!(fault(|conv| conv.horizontal.phases[0].start = -128), Fault::Padding);
    assert_eq!(fault(|conv| conv.bank.weights += 1), Fault::Data);
    assert_eq!(fault(|conv| conv.bank.weights = 0xFFFF_FFF0), Fault::Data);
    assert_eq!(fault(|conv| conv.bank.channels = 0xFFFF_FFF0), Fault::Data);
    assert_eq!(fault(|conv| conv.bank.table = Some(0xFFFF_FFF0)), Fault::Data);
    assert_eq!(fault(|conv| (conv.bank.low, conv.bank.high) = (1, 0)), Fault::Range);
}

/// One random change of a number somewhere in the graph.
fn mutate(graph: &mut Graph<'_>, place: usize, value: u32) {
    let (edges, ops) = (graph.edges.len(), graph.ops.len());
    let edge: &mut Edge = &mut graph.edges[place % edges];
    match place % 13 {
        0 => edge.shape.h = value as u16,
        1 => edge.shape.w = value as u16,
        2 => edge.shape.c = value as u16,
        3 => edge.padding.top = value as u8,
        4 => edge.padding.bottom = value as u8,
        5 => edge.padding.left = value as u8,
        6 => edge.padding.right = value as u8,
        7 => edge.ring_rows = value as u16,
        8 => edge.zero_point = value as i8,
        9 => graph.latent.dims = value as u16,
        _ => match &mut graph.ops[place / 13 % ops] {
            Op::Dense(dense) => match place % 3 {
                0 => dense.source = value as u8,
                1 => dense.bank.weights = value,
                _ => dense.bank.shared = value.is_multiple_of(2),
            },
            Op::PhaseConv(conv) => {
                let axis = if place.is_multiple_of(2) { &mut conv.vertical } else { &mut conv.horizontal };
                match place / 26 % 8 {
                    0 => axis.step = value as u8,
                    1 => axis.dilation = value as u8,
                    2 => {
                        let more =
                            [&axis.phases[..], &[Phase { start: value as i8, taps: (value >> 8) as u8 }]].concat();
                        axis.phases = Phases::try_from(&*more).unwrap_or(axis.phases);
                    }
                    3 => axis.phases.iter_mut().for_each(|phase| phase.start = value as i8),
                    4 => axis.phases.iter_mut().for_each(|phase| phase.taps = value as u8),
                    5 => conv.bank.shared = !conv.bank.shared,
                    6 => conv.bank.channels = value & !15,
                    _ => conv.source = value as u8,
                }
            }
        },
    }
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn changed_graphs_are_refused_or_run(changes in prop::collection::vec((any::<usize>(), prop_oneof![0u32..300, any::<u32>()]), 1..4)) {
        let file = VALID.with(Clone::clone);
        let _ = parse_changed(&file, |graph| changes.iter().for_each(|&(place, value)| mutate(graph, place, value)));
    }

    #[test]
    fn random_graph_bytes_are_refused_or_run(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let file = VALID.with(Clone::clone);
        let mut bytes = file.bytes().to_vec();
        let graph_len = u32::from_le_bytes(bytes[field::GRAPH_LEN].try_into().unwrap()) as usize;
        for (index, value) in changes {
            bytes[HEADER_LEN + index.index(graph_len)] = value;
        }
        let crc = edgegen_runtime::model::checksum(&bytes[field::CHECKED..]);
        bytes[field::CRC].copy_from_slice(&crc.to_le_bytes());
        if let Ok(model) = Model::parse(ModelFile::new(&bytes).bytes()) {
            run(&model);
        }
    }
}

thread_local! {
    static VALID: ModelFile = valid();
}
