//! Native methods of decoders.

use std::sync::Mutex;

use jni::objects::{JByteArray, JClass, JIntArray, JObjectArray};
use jni::sys::{jboolean, jint, jlong};
use jni::{Env, EnvUnowned};
use pinhole::format::{ChunkId, ChunkKind, Header};
use pinhole::{DecodeError, DecodeOptions, PictureMut, PixelFormat, Synthesis};
use pinhole_owned::OwnedDecoder;

use crate::encoder::threads;
use crate::failure::{Code, Failure, native};
use crate::model::MODELS;
use crate::picture::{Arrays, Buffers, Layout, zeros};
use crate::table::{Table, exclusive};
use crate::target::Target;

static DECODERS: Table<Mutex<OwnedDecoder>> = Table::new();

/// Options; `synthesis` counts as `Synthesis::ALL` does.
fn options(
    synthesis: jint,
    conceal: jboolean,
    max_pixels: jlong,
) -> Result<DecodeOptions, Failure> {
    let mut options = DecodeOptions::default();
    let known = usize::try_from(synthesis).ok().and_then(|n| Synthesis::ALL.get(n));
    options.decoder =
        *known.ok_or_else(|| Failure::invalid(format!("no decoder has number {synthesis}")))?;
    options.conceal = conceal;
    options.max_pixels = u64::try_from(max_pixels)
        .map_err(|_| Failure::invalid(format!("a limit of {max_pixels} pixels")))?;
    Ok(options)
}

/// Damaged chunks as Java gets them: numbers of the file format.
fn numbers(damaged: &[ChunkId]) -> Vec<jint> {
    let number = |id: &ChunkId| i32::from(id.band) << 2 | i32::from(id.kind == ChunkKind::Alpha);
    damaged.iter().map(number).collect()
}

/// `long decoderNew(long model, int threads)`
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_DecoderNative_decoderNew<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    model: jlong,
    threads_: jint,
) -> jlong {
    native(&mut env, |_| {
        let decoder = OwnedDecoder::new(&*MODELS.get(model)?, threads(threads_)?)?;
        Ok(DECODERS.insert(Mutex::new(decoder)))
    })
}

/// The size of the picture in a file if it is within the limit, and its own format.
fn accepted(file: &[u8], options: &DecodeOptions) -> Result<(u32, u32, PixelFormat), Failure> {
    let header = Header::parse(file)?.header;
    let (pixels, limit) = (header.pixels(), options.max_pixels);
    if pixels > limit {
        return Err(DecodeError::TooManyPixels { pixels, limit }.into());
    }
    let format = match (header.colour, header.alpha) {
        (pinhole::format::Colour::Gray8, false) => PixelFormat::Gray8,
        (pinhole::format::Colour::Gray8, true) => PixelFormat::GrayA8,
        (_, false) => PixelFormat::Rgb8,
        (_, true) => PixelFormat::Rgba8,
    };
    Ok((header.width, header.height, format))
}

/// `byte[] decode(long decoder, byte[] file, int[] layout, int synthesis, boolean conceal, long maxPixels, int[][]
/// report)`
///
/// The layout says the format only; null asks for the file's own. The report's first element becomes the numbers of
/// damaged chunks. A picture of more bytes than an array can have is too large.
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_DecoderNative_decode<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    decoder: jlong,
    file: JByteArray<'e>,
    layout: JIntArray<'e>,
    synthesis: jint,
    conceal: jboolean,
    max_pixels: jlong,
    report: JObjectArray<'e, JIntArray<'e>>,
) -> JByteArray<'e> {
    native(&mut env, |env| {
        let decoder = DECODERS.get(decoder)?;
        let file = env.convert_byte_array(file)?;
        let options = options(synthesis, conceal, max_pixels)?;
        let (width, height, own) = accepted(&file, &options)?;
        let format = match layout.is_null() {
            true => own.into(),
            false => Layout::read(env, &layout)?.format,
        };
        let len = format.buffer_len(width, height);
        let len = i32::try_from(len).map_err(|_| {
            let message = format!("{width}x{height} pixels do not fit into a byte[]");
            Failure::new(Code::TooManyPixels, message)
        })?;
        let mut data = zeros(len as usize)?;
        let picture = PictureMut::contiguous(width, height, format, &mut data)?;
        let damaged = exclusive(&decoder, |d| {
            Ok(d.with(|d| d.decode_into(&file, &options, picture)).map(|d| d.damaged)?)
        })?;
        let answer = env.byte_array_from_slice(&data)?;
        let numbers = int_array(env, &numbers(&damaged))?;
        report.set_element(env, 0, &numbers)?;
        Ok(answer)
    })
}

/// `int[] decodeInto(long decoder, byte[] file, int[] layout, byte[][] arrays, ByteBuffer[] buffers, int synthesis,
/// boolean conceal, long maxPixels)`: the numbers of damaged chunks
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_DecoderNative_decodeInto<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    decoder: jlong,
    file: JByteArray<'e>,
    layout: JIntArray<'e>,
    arrays: Arrays<'e>,
    buffers: Buffers<'e>,
    synthesis: jint,
    conceal: jboolean,
    max_pixels: jlong,
) -> JIntArray<'e> {
    native(&mut env, |env| {
        let decoder = DECODERS.get(decoder)?;
        let file = env.convert_byte_array(file)?;
        let options = options(synthesis, conceal, max_pixels)?;
        accepted(&file, &options)?;
        let mut target = Target::find(env, &layout, &arrays, &buffers)?;
        let picture = target.picture()?;
        let damaged = exclusive(&decoder, |d| {
            Ok(d.with(|d| d.decode_into(&file, &options, picture)).map(|d| d.damaged)?)
        })?;
        target.write_back(env)?;
        int_array(env, &numbers(&damaged))
    })
}

fn int_array<'e>(env: &mut Env<'e>, numbers: &[jint]) -> Result<JIntArray<'e>, Failure> {
    let array = JIntArray::new(env, numbers.len())?;
    array.set_region(env, 0, numbers)?;
    Ok(array)
}

/// `void decoderFree(long decoder)`
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_DecoderNative_decoderFree<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    decoder: jlong,
) {
    native(&mut env, |_| {
        DECODERS.remove(decoder);
        Ok(())
    });
}
