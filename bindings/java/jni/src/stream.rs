//! Native methods of pictures that arrive in bands of rows.

use std::sync::Mutex;

use jni::EnvUnowned;
use jni::objects::{JByteArray, JClass, JIntArray};
use jni::sys::{jfloat, jint, jlong};
use pinhole_owned::OwnedStream;

use crate::encoder::options;
use crate::failure::{Code, Failure, native};
use crate::model::{MODELS, metadata, records};
use crate::picture::{Arrays, Buffers, Layout, Source};
use crate::table::{Table, exclusive};

/// A stream, and how many rows it still needs.
struct Rows {
    stream: OwnedStream,
    height: u32,
}

static STREAMS: Table<Mutex<Rows>> = Table::new();

/// `long streamNew(long model, int[] layout, float quality, long target, int chunkRows, int effort, int tune,
/// byte[][] metadata)`; the layout has no planes
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_streamNew<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    model: jlong,
    layout: JIntArray<'e>,
    quality: jfloat,
    target: jlong,
    chunk_rows: jint,
    effort: jint,
    tune: jint,
    records_: Arrays<'e>,
) -> jlong {
    native(&mut env, |env| {
        let records = records(env, &records_)?;
        let mut options = options(quality, target, chunk_rows, effort, tune)?;
        options.metadata = metadata(&records)?;
        let Layout { format, width, height, .. } = Layout::read(env, &layout)?;
        let model = MODELS.get(model)?;
        let stream = OwnedStream::new(&model, (width, height), format, &options)?;
        Ok(STREAMS.insert(Mutex::new(Rows { stream, height })))
    })
}

/// `byte[] streamPush(long stream, int[] layout, byte[][] arrays, ByteBuffer[] buffers)`: the bytes that are ready,
/// often none
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_streamPush<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    stream: jlong,
    layout: JIntArray<'e>,
    arrays: Arrays<'e>,
    buffers: Buffers<'e>,
) -> JByteArray<'e> {
    native(&mut env, |env| {
        let rows = STREAMS.get(stream)?;
        let source = Source::read(env, &layout, &arrays, &buffers)?;
        let picture = source.picture()?;
        let mut ready = Vec::new();
        exclusive(&rows, |r| Ok(r.stream.with(|s| s.push_rows(picture, &mut ready))?))?;
        Ok(env.byte_array_from_slice(&ready)?)
    })
}

/// `int streamMissing(long stream)`: rows that have not been pushed yet
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_streamMissing<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    stream: jlong,
) -> jint {
    native(&mut env, |_| {
        let rows = STREAMS.get(stream)?;
        exclusive(&rows, |r| {
            let missing = r.height.saturating_sub(r.stream.with(|s| s.rows_pushed()));
            i32::try_from(missing).map_err(|_| Failure::new(Code::Internal, "too many rows"))
        })
    })
}

/// `void streamFree(long stream)`
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_streamFree<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    stream: jlong,
) {
    native(&mut env, |_| {
        STREAMS.remove(stream);
        Ok(())
    });
}
