//! NumPy's `.npy`.

use anyhow::{Context, Result, bail};
use npyz::{DType, NpyFile, Order, TypeChar, WriterBuilder};
use pinhole::sensor::SampleType;

use super::{ReadOptions, Table};

/// Most values that are read.
const MAX_VALUES: u64 = 1 << 31;

/// Reads an array of one dimension (one channel), two (times, channels) or three (windows, channels, samples).
pub(crate) fn parse(bytes: &[u8], options: &ReadOptions) -> Result<Table> {
    let file = NpyFile::new(bytes).context("not a NumPy file")?;
    let shape = file.shape().to_vec();
    let count = shape.iter().try_fold(1u64, |n, &side| n.checked_mul(side)).unwrap_or(u64::MAX);
    if count > MAX_VALUES || count > bytes.len() as u64 {
        bail!("an array of {shape:?} in {} bytes", bytes.len());
    }
    let fortran = file.order() == Order::Fortran && shape.len() > 1;
    if fortran {
        bail!("an array in Fortran order; save numpy.ascontiguousarray(x)");
    }
    let DType::Plain(kind) = file.dtype() else { bail!("records are no samples") };
    let exact = "samples of this type do not fit: convert them to float64 or int32";
    let (sample_type, values): (SampleType, Vec<f64>) = match (kind.type_char(), kind.size_field())
    {
        (TypeChar::Float, 4) => (SampleType::F32, read::<f32>(file)?),
        (TypeChar::Float, 8) => (SampleType::F64, read::<f64>(file)?),
        (TypeChar::Int, 1) => (SampleType::I8, read::<i8>(file)?),
        (TypeChar::Uint, 1) => (SampleType::U8, read::<u8>(file)?),
        (TypeChar::Int, 2) => (SampleType::I16, read::<i16>(file)?),
        (TypeChar::Uint, 2) => (SampleType::U16, read::<u16>(file)?),
        (TypeChar::Int, 4) => (SampleType::I32, read::<i32>(file)?),
        (TypeChar::Uint, 4) => (SampleType::I32, narrowed(file.into_vec::<u32>()?).context(exact)?),
        (TypeChar::Int, 8) => (SampleType::I32, narrowed(file.into_vec::<i64>()?).context(exact)?),
        (TypeChar::Uint, 8) => (SampleType::I32, narrowed(file.into_vec::<u64>()?).context(exact)?),
        _ => bail!("samples of type {}: floats of 32 or 64 bits, or integers", kind),
    };
    let (channels, window, values) = match *shape.as_slice() {
        [_] => (1, None, values),
        [_, channels] => (channels as usize, None, values),
        [_, samples, channels] if options.samples_first => {
            (channels as usize, Some(samples as usize), values)
        }
        [_, channels, samples] => {
            let (channels, samples) = (channels as usize, samples as usize);
            let windows = values.chunks_exact((channels * samples).max(1));
            let turned = windows.flat_map(|window| {
                (0..samples).flat_map(move |t| (0..channels).map(move |c| window[c * samples + t]))
            });
            (channels, Some(samples), turned.collect())
        }
        _ => bail!("an array of {} dimensions: 1 to 3", shape.len()),
    };
    let names = match channels {
        0..=256 => (0..channels).map(|c| format!("channel {c}")).collect(),
        _ => bail!("{channels} channels: at most 256 (is the array transposed?)"),
    };
    Ok(Table { names, sample_type, values, times: None, window })
}

fn read<T: npyz::Deserialize + Into<f64>>(file: NpyFile<&[u8]>) -> Result<Vec<f64>> {
    let values = file.into_vec::<T>().context("the array ends early")?;
    Ok(values.into_iter().map(Into::into).collect())
}

fn narrowed<T: TryInto<i32>>(values: Vec<T>) -> Option<Vec<f64>> {
    values.into_iter().map(|v| v.try_into().ok().map(f64::from)).collect()
}

/// Writes an array (times, channels) of the samples' type. Times do not fit in.
pub(crate) fn write(table: &Table) -> Result<Vec<u8>> {
    match table.sample_type {
        SampleType::F32 => array(table, |x| x as f32),
        SampleType::I8 => array(table, |x| x as i8),
        SampleType::U8 => array(table, |x| x as u8),
        SampleType::I16 => array(table, |x| x as i16),
        SampleType::U16 => array(table, |x| x as u16),
        SampleType::I32 => array(table, |x| x as i32),
        _ => array(table, |x| x),
    }
}

fn array<T: npyz::AutoSerialize>(table: &Table, convert: impl Fn(f64) -> T) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let shape = [table.len() as u64, table.channels() as u64];
    let mut writer =
        npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut out).begin_nd()?;
    writer.extend(table.values.iter().map(|&x| convert(x)))?;
    writer.finish()?;
    Ok(out)
}
