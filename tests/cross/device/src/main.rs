//! A program for a bare microcontroller that encodes a picture. It is linked and measured, never run: there is no
//! start-up code, and its heap is never given back.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use pinhole::{Bundle, EncodeOptions, Encoder, Picture, PixelFormat};

/// Takes memory above `NEXT`, which the start-up code of a real device would set.
struct Heap;

static NEXT: AtomicUsize = AtomicUsize::new(0x6000_0000);

// SAFETY: every call gets addresses of its own, aligned as asked.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let room = layout.size() + layout.align();
        let start = NEXT.fetch_add(room, Ordering::Relaxed);
        ptr::without_provenance_mut(start.next_multiple_of(layout.align()))
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP: Heap = Heap;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// Stands for the device's flash, camera and radio.
#[unsafe(no_mangle)]
static mut BOUNDARY: [usize; 4] = [0; 4];

fn read(index: usize) -> usize {
    // SAFETY: one of four words; nothing else runs.
    unsafe { (&raw const BOUNDARY[index & 3]).read_volatile() }
}

/// Entry point. The model and the picture are wherever the boundary says.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> usize {
    // SAFETY: never run; a real device would place its model here.
    let model =
        unsafe { core::slice::from_raw_parts(ptr::with_exposed_provenance(read(0)), read(1)) };
    encode(model, read(2) as u32, read(3) as u32).map_or(0, |file| file.len())
}

fn encode(model: &[u8], width: u32, height: u32) -> Option<Vec<u8>> {
    let bundle = Bundle::parse(model).ok()?;
    let data = alloc::vec![0; width as usize * height as usize * 3];
    let picture = Picture::new(width, height, PixelFormat::Rgb8, data).ok()?;
    let file = Encoder::new(&bundle, 1).ok()?.encode(&picture, &EncodeOptions::default()).ok()?;
    #[cfg(feature = "decoder")]
    {
        let mut decoder = pinhole::Decoder::new(&bundle, 1).ok()?;
        return Some(decoder.decode(&file, &Default::default()).ok()?.picture.into_data());
    }
    #[cfg(not(feature = "decoder"))]
    Some(file)
}
