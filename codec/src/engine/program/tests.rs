//! The parser on its own writer's output, on damage, and on each kind of mistake.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::{HEADER, RECORD};
use crate::engine::requant::Bounds;
use crate::engine::testing::{Rng, random_program};
use crate::engine::{
    ConvSpec, DType, Executor, Program, ProgramBuilder, ProgramError, Size, reference,
};

/// One 1×1 convolution, 5 to 3 channels, U8 to I16.
fn small() -> Vec<u8> {
    let mut b = ProgramBuilder::new();
    let x = b.input(DType::U8, 5, 3).unwrap();
    let bounds = Bounds { offset: 1, lo: -9, hi: 9 };
    let (weights, bias, scale) = (&[1; 15][..], &[1, 2, 3][..], &[0.5; 3][..]);
    let dtype = DType::I16;
    let spec = ConvSpec { dtype, zero_point: 0, residual: None, weights, bias, scale, bounds };
    let y = b.conv1x1(x, spec).unwrap();
    b.finish(&[y]).unwrap()
}

/// Where the record of `small`'s operation starts.
const OP: usize = HEADER + 8 + 8;

fn parse_with(at: usize, bytes: &[u8]) -> Result<(), ProgramError> {
    let mut program = small();
    program[at..at + bytes.len()].copy_from_slice(bytes);
    Program::parse(&program).map(|_| ())
}

#[test]
fn mistakes_are_named() {
    use ProgramError as E;
    assert_eq!(parse_with(0, b"PHIP"), Ok(()));
    assert!(matches!(parse_with(0, b"X"), Err(E::BadMagic(_))));
    assert_eq!(parse_with(4, &[9]), Err(E::UnsupportedVersion(9)));
    assert!(matches!(parse_with(6, &[0]), Err(E::OutOfRange { op: None, field: "inputs", .. })));
    assert!(matches!(parse_with(9, &[2]), Err(E::OutOfRange { field: "operations", .. })));
    assert!(matches!(parse_with(12, &[255; 4]), Err(E::Truncated { .. })));
    assert_eq!(parse_with(16 + 5, &[1]), Err(E::NonZeroPadding { op: None }));
    assert!(matches!(parse_with(24, &[2]), Err(E::UndefinedTensor { op: None, tensor: 2, .. })));
    assert_eq!(parse_with(OP, &[7]), Err(E::UnknownOp { op: 0, code: 7 }));
    assert!(matches!(parse_with(OP + 1, &[2]), Err(E::OutOfRange { field: "dtype", .. })));
    assert!(matches!(parse_with(OP + 2, &[2]), Err(E::OutOfRange { field: "zero point", .. })));
    assert!(matches!(parse_with(OP + 6, &[0, 0]), Err(E::WrongType { operand: "residual", .. })));
    assert!(matches!(
        parse_with(OP + 8, &[1]),
        Err(E::UndefinedTensor { op: Some(0), tensor: 1, .. })
    ));
    assert!(matches!(parse_with(OP + 24, &[0; 12]), Ok(())));
    assert!(matches!(parse_with(OP + 27, &[1]), Err(E::OutOfRange { field: "offset", .. })));
    assert!(matches!(
        parse_with(OP + 32, &[246, 255, 255, 255]),
        Err(E::OutOfRange { field: "hi", .. })
    ));
    assert!(matches!(parse_with(OP + 36, &[1]), Err(E::BadBlock { block: "weights", .. })));
    assert!(matches!(parse_with(OP + 42, &[255]), Err(E::BadBlock { block: "biases", .. })));
    assert_eq!(parse_with(OP + RECORD - 1, &[1]), Err(E::NonZeroPadding { op: Some(0) }));
    let program = small();
    let block =
        |field: usize| program[OP + field] as usize + 256 * program[OP + field + 1] as usize;
    let infinite = f32::INFINITY.to_le_bytes();
    assert!(matches!(parse_with(block(44) + 4, &infinite), Err(E::BadScale { channel: 1, .. })));
    assert_eq!(parse_with(block(36) + 5 * 4, &[1]), Err(E::NonZeroPadding { op: Some(0) }));
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = random_program(5, 6, false);
    for end in 0..bytes.len() {
        assert!(Program::parse(&bytes[..end]).is_err(), "{end}");
    }
    let mut longer = bytes.clone();
    longer.extend([1, 2, 3]);
    assert!(Program::parse(&longer).is_ok(), "bytes after the program are ignored");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Damage either gives an error or a program that both executors agree on.
    #[test]
    fn damage_does_no_harm(seed: u64, ops in 1_usize..6, damage in 1_usize..4) {
        let mut bytes = random_program(seed, ops, false);
        let mut rng = Rng(!seed);
        let records = (HEADER + 8 * 3 + RECORD * ops).min(bytes.len()) as i64;
        for _ in 0..damage {
            let at = rng.range(0, records - 1) as usize;
            bytes[at] = if rng.chance(2) { rng.next() as u8 } else { rng.range(0, 8) as u8 };
        }
        if let Ok(program) = Program::parse(&bytes) {
            let unit = program.unit();
            let least = program.tensors().iter().map(|t| t.shift).min().unwrap_or(0);
            let wide = program.tensors().iter().any(|t| t.channels > 500);
            if unit <= 16 && least >= -3 && !wide {
                let inputs = rng.inputs(&program, Size { height: unit * 2, width: unit });
                let expected = reference::run(&program, &inputs).unwrap();
                prop_assert_eq!(Executor::new().run_tensors(&program, &inputs).unwrap(), expected);
            }
        }
    }

    #[test]
    fn noise_does_no_harm(bytes: Vec<u8>) {
        let _ = Program::parse(&bytes);
        let mut program = small();
        for (to, from) in program[16..].iter_mut().zip(bytes) {
            *to = from;
        }
        let _ = Program::parse(&program);
    }
}
