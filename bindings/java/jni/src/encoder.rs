//! Native methods of encoders.

use std::sync::Mutex;

use jni::EnvUnowned;
use jni::objects::{JByteArray, JClass, JIntArray};
use jni::sys::{jfloat, jint, jlong};
use pinhole::{Effort, EncodeOptions, Target, Tune};
use pinhole_owned::OwnedEncoder;

use crate::failure::{Failure, native};
use crate::model::{MODELS, metadata, records};
use crate::picture::{Arrays, Buffers, Source};
use crate::table::{Table, exclusive};

static ENCODERS: Table<Mutex<OwnedEncoder>> = Table::new();

/// Threads as Java gives them; the codec clamps large numbers.
pub(crate) fn threads(threads: jint) -> Result<usize, Failure> {
    match usize::try_from(threads) {
        Ok(threads) if threads > 0 => Ok(threads),
        _ => Err(Failure::invalid(format!("{threads} threads: must be 1 or more"))),
    }
}

/// Options but metadata. A target of 0 is none, 0 chunk rows are the default; `effort` counts as `Effort::ALL` does,
/// `tune` as `Tune::ALL` does.
pub(crate) fn options(
    quality: jfloat,
    target: jlong,
    chunk_rows: jint,
    effort: jint,
    tune: jint,
) -> Result<EncodeOptions<'static>, Failure> {
    let mut options = EncodeOptions::default();
    options.quality = quality;
    let known = usize::try_from(effort).ok().and_then(|n| Effort::ALL.get(n));
    options.effort =
        *known.ok_or_else(|| Failure::invalid(format!("no effort has number {effort}")))?;
    let known = usize::try_from(tune).ok().and_then(|n| Tune::ALL.get(n));
    options.tune = *known.ok_or_else(|| Failure::invalid(format!("no tune has number {tune}")))?;
    let target = u64::try_from(target)
        .map_err(|_| Failure::invalid(format!("a target of {target} bytes: must be positive")))?;
    options.target = (target > 0).then_some(Target::Bytes(target));
    let refused = |_| Failure::invalid(format!("{chunk_rows} chunk rows: must be positive"));
    let chunk_rows = u32::try_from(chunk_rows).map_err(refused)?;
    if chunk_rows > 0 {
        options.chunk_rows = chunk_rows;
    }
    Ok(options)
}

/// `long encoderNew(long model, int threads)`
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_encoderNew<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    model: jlong,
    threads_: jint,
) -> jlong {
    native(&mut env, |_| {
        let encoder = OwnedEncoder::new(&*MODELS.get(model)?, threads(threads_)?)?;
        Ok(ENCODERS.insert(Mutex::new(encoder)))
    })
}

/// `byte[] encode(long encoder, int[] layout, byte[][] arrays, ByteBuffer[] buffers, float quality, long target,
/// int chunkRows, int effort, int tune, byte[][] metadata)`
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_encode<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    encoder: jlong,
    layout: JIntArray<'e>,
    arrays: Arrays<'e>,
    buffers: Buffers<'e>,
    quality: jfloat,
    target: jlong,
    chunk_rows: jint,
    effort: jint,
    tune: jint,
    records_: Arrays<'e>,
) -> JByteArray<'e> {
    native(&mut env, |env| {
        let encoder = ENCODERS.get(encoder)?;
        let records = records(env, &records_)?;
        let mut options = options(quality, target, chunk_rows, effort, tune)?;
        options.metadata = metadata(&records)?;
        let source = Source::read(env, &layout, &arrays, &buffers)?;
        let picture = source.picture()?;
        let file = exclusive(&encoder, |e| Ok(e.with(|e| e.encode(picture, &options))?))?;
        Ok(env.byte_array_from_slice(&file)?)
    })
}

/// `void encoderFree(long encoder)`
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_encoderFree<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    encoder: jlong,
) {
    native(&mut env, |_| {
        ENCODERS.remove(encoder);
        Ok(())
    });
}
