//! The tile registers: whether they may be used, their shapes, and products of tiles.
//!
//! The compiler has no stable names for these instructions, so they are written out. It never uses tile registers
//! itself: what one block of assembly leaves in them, the next one finds.

use core::arch::asm;
use core::arch::x86_64::__cpuid_count;

/// Rows of a tile.
pub(super) const ROWS: usize = 16;
/// Bytes of a tile's row, at most.
pub(super) const ROW_BYTES: usize = 64;
/// Tiles of sums that [`products`] makes side by side.
pub(super) const SIDE: usize = 4;
/// Sums that [`products`] writes.
pub(super) const SUMS: usize = ROWS * SIDE * 16;

/// Whether the processor has tiles of the usual shape and the system saves them.
pub(super) fn detected() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    const AMX_TILE_AND_INT8: u32 = 1 << 24 | 1 << 25;
    const TILE_STATE: u32 = 1 << 17 | 1 << 18;
    // SAFETY: every x86-64 processor has the instruction.
    #[allow(unused_unsafe, reason = "newer compilers know that")]
    let ask = |leaf, part| unsafe { __cpuid_count(leaf, part) };
    if ask(0, 0).eax < 0x1d || ask(1, 0).ecx & OSXSAVE == 0 {
        return false;
    }
    let palette = ask(0x1d, 1);
    let (row_bytes, registers) = (palette.ebx & 0xffff, palette.ebx >> 16);
    ask(7, 0).edx & AMX_TILE_AND_INT8 == AMX_TILE_AND_INT8
        && row_bytes as usize == ROW_BYTES
        && registers >= 8
        && (palette.ecx & 0xffff) as usize == ROWS
        && saved_states() & TILE_STATE == TILE_STATE
}

/// The states that the system saves, from the control register XCR0.
fn saved_states() -> u32 {
    let low: u32;
    // SAFETY: the caller has seen OSXSAVE; reading the register changes nothing.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") _, options(nomem, nostack, preserves_flags));
    }
    low
}

/// Asks Linux for the permission to use tiles, which holds for all threads of the process.
pub(super) fn permitted() -> bool {
    const ARCH_PRCTL: usize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const XFEATURE_XTILEDATA: usize = 18;
    let result: isize;
    // SAFETY: the call takes two numbers and touches no memory of ours; the kernel overwrites rcx and r11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// Shapes of the tile registers, as `ldtilecfg` reads them.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Tile registers in use: released when dropped.
pub(super) struct Tiles(());

impl Tiles {
    /// Shapes the registers for [`products`] of `rows` positions (1..=16) by `step` input bytes (4..=64, a multiple of 4).
    ///
    /// # Safety
    /// The processor has tiles and the process may use them.
    pub(super) unsafe fn new(rows: usize, step: usize) -> Self {
        let mut shapes = Shapes {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        for tile in 0..8 {
            // 0 to 3 are sums, 4 inputs, 5 to 7 weights.
            let (tile_rows, bytes) = match tile {
                0..4 => (rows, ROW_BYTES),
                4 => (rows, step),
                _ => (step / 4, ROW_BYTES),
            };
            shapes.rows[tile] = tile_rows as u8;
            shapes.row_bytes[tile] = bytes as u16;
        }
        // SAFETY: the caller's promise; the shapes are 64 bytes and within the palette's limits.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, preserves_flags));
        }
        Tiles(())
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: whoever made this has promised that there are tiles; nobody reads them after this.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags)) }
    }
}

/// Where the operands of [`products`] lie.
pub(super) struct Operands {
    /// The first position's inputs; positions are `stride` bytes apart.
    pub(super) x: *const u8,
    pub(super) stride: usize,
    /// The first block's weights; blocks of 16 outputs are `stride · 16` bytes apart.
    pub(super) weights: *const i8,
    /// Bytes of inputs that are taken at a time, as given to [`Tiles::new`], and how many times.
    pub(super) step: usize,
    pub(super) steps: usize,
    /// What the sums of each block start with.
    pub(super) bias: *const i32,
}

/// Sums of products for the positions that [`Tiles::new`] was told and `B` (1, 2 or 4) blocks of 16 outputs, written to
/// `sums`: 64 for each position, of which the first `16 · B` count.
///
/// # Safety
/// `Tiles` of these positions and this `step` are alive, `step · steps` bytes are good for reading at each position,
/// `16 · step · steps` at each block of weights, 16 biases for each block; `sums` is good for writing [`SUMS`] elements.
#[inline]
pub(super) unsafe fn products<const B: usize>(o: &Operands, sums: *mut i32) {
    let block = o.stride * 16;
    let far = |n: usize| o.weights.wrapping_add(n.min(B - 1) * block);
    /// The instructions for one number of blocks.
    macro_rules! run {
        ([$($start:literal),*], [$($body:literal),*], [$($end:literal),*]) => {
            // SAFETY: reads and writes what the caller has promised; the tiles have the shapes that this needs. Shorter
            // versions do not use the weights of blocks that are not there.
            unsafe {
                asm!(
                    "xor {s:e}, {s:e}",
                    $($start,)*
                    "mov {s:e}, 64",
                    "2:",
                    "tileloadd tmm4, [{x} + {stride}]",
                    $($body,)*
                    "add {x}, {step}",
                    "add {w0}, {wide}",
                    "add {w1}, {wide}",
                    "add {w2}, {wide}",
                    "add {w3}, {wide}",
                    "dec {count}",
                    "jnz 2b",
                    "mov {s:e}, 256",
                    $($end,)*
                    x = inout(reg) o.x => _,
                    w0 = inout(reg) far(0) => _,
                    w1 = inout(reg) far(1) => _,
                    w2 = inout(reg) far(2) => _,
                    w3 = inout(reg) far(3) => _,
                    count = inout(reg) o.steps => _,
                    s = out(reg) _,
                    stride = in(reg) o.stride,
                    step = in(reg) o.step,
                    wide = in(reg) o.step * 16,
                    bias = in(reg) o.bias,
                    sums = in(reg) sums,
                    options(nostack),
                );
            }
        };
    }
    match B {
        1 => run!(
            ["tileloadd tmm0, [{bias} + {s}]"],
            ["tileloadd tmm5, [{w0} + {s}]", "tdpbusd tmm0, tmm4, tmm5"],
            ["tilestored [{sums} + {s}], tmm0"]
        ),
        2 => run!(
            ["tileloadd tmm0, [{bias} + {s}]", "tileloadd tmm1, [{bias} + {s} + 64]"],
            [
                "tileloadd tmm5, [{w0} + {s}]",
                "tileloadd tmm6, [{w1} + {s}]",
                "tdpbusd tmm0, tmm4, tmm5",
                "tdpbusd tmm1, tmm4, tmm6"
            ],
            ["tilestored [{sums} + {s}], tmm0", "tilestored [{sums} + {s} + 64], tmm1"]
        ),
        _ => run!(
            [
                "tileloadd tmm0, [{bias} + {s}]",
                "tileloadd tmm1, [{bias} + {s} + 64]",
                "tileloadd tmm2, [{bias} + {s} + 128]",
                "tileloadd tmm3, [{bias} + {s} + 192]"
            ],
            [
                "tileloadd tmm5, [{w0} + {s}]",
                "tileloadd tmm6, [{w1} + {s}]",
                "tileloadd tmm7, [{w2} + {s}]",
                "tdpbusd tmm0, tmm4, tmm5",
                "tileloadd tmm5, [{w3} + {s}]",
                "tdpbusd tmm1, tmm4, tmm6",
                "tdpbusd tmm2, tmm4, tmm7",
                "tdpbusd tmm3, tmm4, tmm5"
            ],
            [
                "tilestored [{sums} + {s}], tmm0",
                "tilestored [{sums} + {s} + 64], tmm1",
                "tilestored [{sums} + {s} + 128], tmm2",
                "tilestored [{sums} + {s} + 192], tmm3"
            ]
        ),
    }
}
