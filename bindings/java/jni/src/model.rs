//! Native methods of models, and of what needs none.

use jni::objects::{JByteArray, JClass, JLongArray, JObjectArray, JString};
use jni::sys::{jboolean, jlong};
use jni::{Env, EnvUnowned};
use pinhole::format::{Colour, Header, Metadata, MetadataKind};
use pinhole_owned::Model;

use crate::failure::{Failure, native};
use crate::picture::Arrays;
use crate::table::Table;

pub(crate) static MODELS: Table<Model> = Table::new();

/// Number of answers of `Native.header`.
const FIELDS: usize = 8;

/// `String version()`
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_version<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
) -> JString<'e> {
    native(&mut env, |env| Ok(env.new_string(env!("CARGO_PKG_VERSION"))?))
}

/// `long modelEmbedded()`
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_modelEmbedded<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
) -> jlong {
    native(&mut env, |_| embedded().map(|model| MODELS.insert(model)))
}

#[cfg(feature = "embedded")]
fn embedded() -> Result<Model, Failure> {
    Ok(Model::embedded()?)
}

#[cfg(not(feature = "embedded"))]
fn embedded() -> Result<Model, Failure> {
    Err(Failure::new(
        crate::failure::Code::BadModel,
        "this library was built without a model: load one",
    ))
}

/// `long modelLoad(byte[] bundle)`
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_modelLoad<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    bundle: JByteArray<'e>,
) -> jlong {
    native(&mut env, |env| {
        let bytes = env.convert_byte_array(bundle)?;
        Ok(MODELS.insert(Model::from_bytes(&bytes)?))
    })
}

/// `byte[] modelLatentSpace(long model)`: eight bytes
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_modelLatentSpace<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    model: jlong,
) -> JByteArray<'e> {
    native(&mut env, |env| {
        let space = MODELS.get(model)?.bundle().latent_space();
        Ok(env.byte_array_from_slice(&space)?)
    })
}

/// `boolean modelEncodes(long model)`
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_modelEncodes<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    model: jlong,
) -> jboolean {
    native(&mut env, |_| {
        Ok(MODELS.get(model)?.bundle().can_encode())
    })
}

/// `void modelFree(long model)`
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_modelFree<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    model: jlong,
) {
    native(&mut env, |_| {
        MODELS.remove(model);
        Ok(())
    });
}

/// `long[] header(byte[] file)`: width, height, 1 if grey, 1 if there is alpha, quality in hundredths, rows of a
/// chunk, chunks, latent space (its first byte lowest)
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_header<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    file: JByteArray<'e>,
) -> JLongArray<'e> {
    native(&mut env, |env| {
        let header = Header::parse(&env.convert_byte_array(file)?)?.header;
        let fields: [i64; FIELDS] = [
            header.width.into(),
            header.height.into(),
            (header.colour == Colour::Gray8).into(),
            header.alpha.into(),
            header.quality.into(),
            header.rows_per_chunk().into(),
            header.chunk_ids().count() as i64,
            i64::from_le_bytes(header.latent_space),
        ];
        let answer = JLongArray::new(env, FIELDS)?;
        answer.set_region(env, 0, &fields)?;
        Ok(answer)
    })
}

/// `byte[][] metadata(byte[] file)`: for each record its kind (1 is ICC, 2 Exif, 3 XMP) and then its data
#[unsafe(no_mangle)]
extern "system" fn Java_pinhole_Native_metadata<'e>(
    mut env: EnvUnowned<'e>,
    _: JClass<'e>,
    file: JByteArray<'e>,
) -> Arrays<'e> {
    native(&mut env, |env| {
        let file = env.convert_byte_array(file)?;
        let metadata = Header::parse(&file)?.metadata(&file)?;
        let records = metadata.records();
        let answer = JObjectArray::<JByteArray>::new(env, records.len(), JByteArray::null())?;
        for (index, record) in records.iter().enumerate() {
            let bytes = [&[record.kind.code()], record.data].concat();
            let bytes = env.byte_array_from_slice(&bytes)?;
            answer.set_element(env, index, &bytes)?;
            // Files may have many records, and local references are few.
            env.delete_local_ref(bytes);
        }
        Ok(answer)
    })
}

/// Records as `Native.metadata` gives them.
pub(crate) fn records<'e>(env: &mut Env<'e>, arrays: &Arrays<'e>) -> Result<Vec<Vec<u8>>, Failure> {
    let mut records = Vec::new();
    for index in 0..arrays.len(env)? {
        let array = arrays.get_element(env, index)?;
        records.push(env.convert_byte_array(&array)?);
        env.delete_local_ref(array);
    }
    Ok(records)
}

/// The metadata of such records.
pub(crate) fn metadata(records: &[Vec<u8>]) -> Result<Metadata<'_>, Failure> {
    let mut metadata = Metadata::new();
    for record in records {
        let (&kind, data) =
            record.split_first().ok_or_else(|| Failure::invalid("a record without its kind"))?;
        let refused = |e: pinhole::format::FormatError| Failure::invalid(e.to_string());
        metadata.push(MetadataKind::Other(kind), data).map_err(refused)?;
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Code;

    #[test]
    fn records_become_metadata() {
        let records = vec![vec![2, b'M', b'M'], vec![9]];
        let metadata = metadata(&records).unwrap();
        assert_eq!(metadata.get(MetadataKind::Exif), Some(&b"MM"[..]));
        assert_eq!(metadata.get(MetadataKind::Other(9)), Some(&b""[..]));
        for bad in [vec![vec![]], vec![vec![1], vec![1]]] {
            let failure = super::metadata(&bad).unwrap_err();
            assert_eq!(failure.code(), Code::InvalidArgument);
        }
    }
}
