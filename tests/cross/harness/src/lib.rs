//! The conformance set as functions for a host without files, arguments or output: it hands over bytes, calls a
//! function, and reads the text that the function leaves.

#[path = "../../../conformance/cases.rs"]
mod cases;
mod kernels;

use std::cell::RefCell;

use pinhole::Bundle;

thread_local! {
    /// What the host handed over, in order.
    static INPUTS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    /// What the last call says.
    static REPORT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Makes room for one more input and returns where the host is to write it.
#[unsafe(no_mangle)]
pub extern "C" fn input(len: usize) -> *mut u8 {
    INPUTS.with_borrow_mut(|inputs| {
        inputs.push(vec![0; len]);
        inputs.last_mut().map_or(std::ptr::null_mut(), |i| i.as_mut_ptr())
    })
}

/// Where the report is.
#[unsafe(no_mangle)]
pub extern "C" fn report() -> *const u8 {
    REPORT.with_borrow(|r| r.as_ptr())
}

/// How long it is.
#[unsafe(no_mangle)]
pub extern "C" fn report_len() -> usize {
    REPORT.with_borrow(|r| r.len())
}

/// The toy model's cases: inputs are the model and the expected lines. Returns 1 if all is as expected.
#[unsafe(no_mangle)]
pub extern "C" fn toy() -> u32 {
    finish(|inputs| check(inputs, &cases::toy()))
}

/// The same for a full-sized model.
#[unsafe(no_mangle)]
pub extern "C" fn photo() -> u32 {
    finish(|inputs| check(inputs, &cases::photo()))
}

/// Inputs are the toy model, an old file, and the expected hash of its pixels.
#[unsafe(no_mangle)]
pub extern "C" fn frozen() -> u32 {
    finish(|inputs| {
        let [model, file, hash] = inputs else { return Err("three inputs are needed".into()) };
        let bundle = Bundle::parse(model).map_err(|e| e.to_string())?;
        let found = format!("{:016x}", cases::decoded(&bundle, file)?);
        let expected = String::from_utf8_lossy(hash);
        if found == expected {
            Ok(found)
        } else {
            Err(format!("expected {expected}, found {found}"))
        }
    })
}

/// Every kernel of this build against the scalar one, on random operations.
#[unsafe(no_mangle)]
pub extern "C" fn kernels() -> u32 {
    finish(|_| kernels::compare(400))
}

fn check(inputs: &[Vec<u8>], cases: &[cases::Case]) -> Result<String, String> {
    let [model, expected] = inputs else { return Err("two inputs are needed".into()) };
    let found = cases::lines(model, cases)?;
    let differences = cases::differences(&String::from_utf8_lossy(expected), &found);
    if differences.is_empty() { Ok(format!("{} cases", cases.len())) } else { Err(differences) }
}

/// Runs a check on the inputs, which it uses up, and keeps what it says.
fn finish(check: impl FnOnce(&[Vec<u8>]) -> Result<String, String>) -> u32 {
    let inputs = INPUTS.take();
    let result = check(&inputs);
    let passed = u32::from(result.is_ok());
    REPORT.set(result.unwrap_or_else(|e| e));
    passed
}
