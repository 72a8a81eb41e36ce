//! Apache Parquet: flat tables of numbers.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use parquet::basic::{LogicalType, Repetition, TimeUnit as ParquetUnit, Type as Physical};
use parquet::data_type::{DoubleType, FloatType, Int32Type, Int64Type};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::Field;
use parquet::schema::types::Type;
use pinhole::sensor::{SampleType, TimeUnit};

use super::{ReadOptions, Table, narrowest, time};

/// Reads numbers of any width; nulls are missing samples.
pub(crate) fn parse(bytes: Vec<u8>, options: &ReadOptions) -> Result<Table> {
    let reader =
        SerializedFileReader::new(bytes::Bytes::from(bytes)).context("not a Parquet file")?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let columns: Vec<String> = schema.columns().iter().map(|c| c.name().to_owned()).collect();
    if schema.root_schema().get_fields().iter().any(|f| f.is_group()) {
        bail!("nested columns are no samples");
    }
    let stamped = |i: usize| {
        matches!(schema.column(i).logical_type_ref(), Some(LogicalType::Timestamp { .. }))
    };
    let by_name = (0..columns.len()).find(|&i| options.is_time(&columns[i]));
    let times_at = match options.time {
        Some(_) => by_name,
        None => by_name.or_else(|| (0..columns.len()).find(|&i| stamped(i))),
    };
    if let (None, Some(name)) = (times_at, &options.time) {
        bail!("no column {name}");
    }
    let nanoseconds = times_at.is_some_and(|i| match schema.column(i).logical_type_ref() {
        Some(LogicalType::Timestamp(stamp)) => matches!(stamp.unit, ParquetUnit::NANOS),
        _ => false,
    });
    let wanted = |name: &String| options.channels.is_empty() || options.channels.contains(name);
    let kept: Vec<usize> =
        (0..columns.len()).filter(|&i| Some(i) != times_at && wanted(&columns[i])).collect();
    let single = kept.iter().all(|&i| schema.column(i).physical_type() == Physical::FLOAT);
    let mut values = Vec::new();
    let mut times = Vec::new();
    let mut unit = TimeUnit::Ticks;
    for row in reader.get_row_iter(None)? {
        let row = row.context("damaged")?;
        let fields: Vec<&Field> = row.get_column_iter().map(|(_, field)| field).collect();
        for &i in &kept {
            values.push(number(fields[i]).with_context(|| format!("column {}", columns[i]))?);
        }
        if let Some(i) = times_at {
            let (found, time) = instant(fields[i], nanoseconds)
                .with_context(|| format!("column {}", columns[i]))?;
            unit = found;
            times.push(time);
        }
    }
    Ok(Table {
        names: kept.iter().map(|&i| columns[i].clone()).collect(),
        sample_type: if single { SampleType::F32 } else { narrowest(&values) },
        values,
        times: times_at.map(|_| (unit, times)),
        window: None,
    })
}

fn number(field: &Field) -> Result<f64> {
    let exact = |x: i64| match x.unsigned_abs() <= 1 << 53 {
        true => Ok(x as f64),
        false => bail!("{x} is too large"),
    };
    match *field {
        Field::Null => Ok(f64::NAN),
        Field::Bool(x) => Ok(f64::from(u8::from(x))),
        Field::Byte(x) => Ok(x.into()),
        Field::Short(x) => Ok(x.into()),
        Field::Int(x) => Ok(x.into()),
        Field::Long(x) => exact(x),
        Field::UByte(x) => Ok(x.into()),
        Field::UShort(x) => Ok(x.into()),
        Field::UInt(x) => Ok(x.into()),
        Field::ULong(x) => exact(i64::try_from(x).unwrap_or(i64::MAX)),
        Field::Float(x) => Ok(x.into()),
        Field::Double(x) => Ok(x),
        _ => bail!("{field} is no number (--channels picks columns)"),
    }
}

fn instant(field: &Field, nanoseconds: bool) -> Result<(TimeUnit, i64)> {
    let scaled = |x: i64, by: i64| match x.checked_mul(by) {
        Some(x) => Ok((TimeUnit::UnixNanoseconds, x)),
        None => bail!("time {x} is too far away"),
    };
    match field {
        Field::TimestampMillis(x) => scaled(*x, 1_000_000),
        Field::TimestampMicros(x) => scaled(*x, 1000),
        Field::Long(x) if nanoseconds => scaled(*x, 1),
        Field::Long(x) => Ok((TimeUnit::Ticks, *x)),
        Field::Int(x) => Ok((TimeUnit::Ticks, (*x).into())),
        Field::Float(_) | Field::Double(_) => {
            let (_, times) = time::parse(&[&format!("{:.9}", number(field)?)])?;
            Ok((TimeUnit::Nanoseconds, times[0]))
        }
        Field::Str(text) => Ok(time::parse(&[text]).map(|(unit, times)| (unit, times[0]))?),
        _ => bail!("{field} is no time"),
    }
}

/// Writes times, if there are any, and channels; missing samples are nulls.
pub(crate) fn write(table: &Table) -> Result<Vec<u8>> {
    let stamp = LogicalType::timestamp(true, ParquetUnit::NANOS);
    let mut fields = Vec::new();
    if let Some((unit, _)) = &table.times {
        let logical = (*unit == TimeUnit::UnixNanoseconds).then_some(stamp);
        let physical =
            if *unit == TimeUnit::Nanoseconds { Physical::DOUBLE } else { Physical::INT64 };
        let field = Type::primitive_type_builder("time", physical)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(logical);
        fields.push(Arc::new(field.build()?));
    }
    let physical = match table.sample_type {
        SampleType::F64 => Physical::DOUBLE,
        SampleType::F32 => Physical::FLOAT,
        _ => Physical::INT32,
    };
    for name in &table.names {
        let field =
            Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        fields.push(Arc::new(field.build()?));
    }
    let schema = Arc::new(Type::group_type_builder("samples").with_fields(fields).build()?);
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default())?;
    let mut group = writer.next_row_group()?;
    if let Some((unit, times)) = &table.times {
        let Some(mut column) = group.next_column()? else { bail!("a column is missing") };
        if *unit == TimeUnit::Nanoseconds {
            let seconds: Vec<f64> = times.iter().map(|&t| t as f64 / 1e9).collect();
            column.typed::<DoubleType>().write_batch(&seconds, None, None)?;
        } else {
            column.typed::<Int64Type>().write_batch(times, None, None)?;
        }
        column.close()?;
    }
    for c in 0..table.channels() {
        let Some(mut column) = group.next_column()? else { bail!("a column is missing") };
        let levels: Vec<i16> = table.channel(c).map(|x| i16::from(!x.is_nan())).collect();
        let present = table.channel(c).filter(|x| !x.is_nan());
        match table.sample_type {
            SampleType::F64 => {
                let values: Vec<f64> = present.collect();
                column.typed::<DoubleType>().write_batch(&values, Some(&levels), None)?
            }
            SampleType::F32 => {
                let values: Vec<f32> = present.map(|x| x as f32).collect();
                column.typed::<FloatType>().write_batch(&values, Some(&levels), None)?
            }
            _ => {
                let values: Vec<i32> = present.map(|x| x as i32).collect();
                column.typed::<Int32Type>().write_batch(&values, Some(&levels), None)?
            }
        };
        column.close()?;
    }
    group.close()?;
    Ok(writer.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_back_as_they_were() {
        for (sample_type, unit) in [
            (SampleType::F64, TimeUnit::UnixNanoseconds),
            (SampleType::F32, TimeUnit::Ticks),
            (SampleType::I32, TimeUnit::Nanoseconds),
        ] {
            let mut values = vec![1.0, -2.0, 3.0, 4.0, 5.0, 7.0];
            if sample_type != SampleType::I32 {
                values[2] = f64::NAN;
                values[3] = 0.25;
            }
            let table = Table {
                names: vec!["a".to_owned(), "b".to_owned()],
                sample_type,
                values,
                times: Some((unit, vec![10_000_000_000, 20_000_000_000, 35_500_000_000])),
                window: None,
            };
            let again = parse(write(&table).unwrap(), &ReadOptions::default()).unwrap();
            assert_eq!(format!("{again:?}"), format!("{table:?}"));
        }
        assert!(parse(b"PAR1 and nothing".to_vec(), &ReadOptions::default()).is_err());
    }
}
