//! A program for a bare microcontroller that encodes samples of an inertial unit. All memory comes from an arena that the
//! device gives; it is linked and measured, never run.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use pinhole::sensor::{Promise, SampleType, SensorEncoder, SensorOptions};

/// Hands out the arena from its start to its end. A block that is the last one can grow and be given back, which is what
/// the encoder's frames need; the rest is taken once.
struct Arena;

static ARENA: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

// SAFETY: every call gets addresses of its own within the arena, aligned as asked; one core, no interrupts allocate.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let [next, end] = &ARENA;
        let start = next.load(Ordering::Relaxed).next_multiple_of(layout.align());
        match start.checked_add(layout.size()) {
            Some(after) if after <= end.load(Ordering::Relaxed) => {
                next.store(after, Ordering::Relaxed);
                ptr::without_provenance_mut(start)
            }
            _ => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let [next, _] = &ARENA;
        if memory.addr() + layout.size() == next.load(Ordering::Relaxed) {
            next.store(memory.addr(), Ordering::Relaxed);
        }
    }
}

#[global_allocator]
static ALLOCATOR: Arena = Arena;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// Stands for the device's memory map, sensor and radio.
#[unsafe(no_mangle)]
static mut BOUNDARY: [usize; 4] = [0; 4];

fn read(index: usize) -> usize {
    // SAFETY: one of four words; nothing else runs.
    unsafe { (&raw const BOUNDARY[index & 3]).read_volatile() }
}

/// Entry point. The arena is where the boundary says.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> usize {
    ARENA[0].store(read(0), Ordering::Relaxed);
    ARENA[1].store(read(1), Ordering::Relaxed);
    encode().unwrap_or(0)
}

fn encode() -> Option<usize> {
    let mut options = SensorOptions::new(Promise::MaxError(vec![0.01; 6]), SampleType::F32);
    options.windows_per_frame = 4;
    let mut encoder = SensorEncoder::new(6, &options).ok()?;
    let mut out = Vec::with_capacity(4096);
    let mut sent = 0;
    while read(2) != 0 {
        let sample: [f32; 6] = core::array::from_fn(|c| f32::from_bits(read(3) as u32 + c as u32));
        encoder.push(&[], &sample, &mut out).ok()?;
        sent += out.len();
        out.clear();
    }
    encoder.finish(&mut out).ok()?;
    Some(sent + out.len())
}
