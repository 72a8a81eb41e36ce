//! Comma-separated values, or others: the separator is found out.

use anyhow::{Context, Result, bail};

use super::{ReadOptions, Table, narrowest, time};

/// Reads a table with or without a line of names. Empty fields, `NA` and `NaN` are missing samples.
pub(crate) fn parse(bytes: &[u8], options: &ReadOptions) -> Result<Table> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(separator(text))
        .has_headers(false)
        .trim(::csv::Trim::All)
        .from_reader(text);
    let records: Vec<::csv::StringRecord> =
        reader.records().collect::<Result<_, _>>().context("not a table")?;
    let Some(first) = records.first() else { bail!("an empty file") };
    let named = first.iter().any(|f| number(f).is_none() && !is_date(f));
    let columns: Vec<String> = match named {
        true => first.iter().map(str::to_owned).collect(),
        false => (0..first.len()).map(|i| format!("column {i}")).collect(),
    };
    let rows = &records[usize::from(named)..];
    let times = columns.iter().position(|name| options.is_time(name)).or_else(|| {
        let dates = rows.first().is_some_and(|row| row.get(0).is_some_and(is_date));
        dates.then_some(0)
    });
    if let (None, Some(name)) = (times, &options.time) {
        bail!("no column {name}");
    }
    let wanted = |name: &String| options.channels.is_empty() || options.channels.contains(name);
    let kept: Vec<usize> =
        (0..columns.len()).filter(|&i| Some(i) != times && wanted(&columns[i])).collect();
    let mut values = Vec::with_capacity(rows.len() * kept.len());
    for (line, row) in rows.iter().enumerate() {
        for &i in &kept {
            let field = row.get(i).unwrap_or("");
            let Some(value) = number(field) else {
                let line = line + 1 + usize::from(named);
                bail!(
                    "line {line}, {}: \"{field}\" is no number (--channels picks columns)",
                    columns[i]
                );
            };
            values.push(value);
        }
    }
    let times = match times {
        Some(i) => {
            let column: Vec<&str> = rows.iter().map(|row| row.get(i).unwrap_or("")).collect();
            Some(time::parse(&column).with_context(|| format!("column {}", columns[i]))?)
        }
        None => None,
    };
    Ok(Table {
        names: kept.iter().map(|&i| columns[i].clone()).collect(),
        sample_type: narrowest(&values),
        values,
        times,
        window: None,
    })
}

fn is_date(field: &str) -> bool {
    number(field).is_none() && time::parse(&[field]).is_ok()
}

fn number(field: &str) -> Option<f64> {
    match field.to_ascii_lowercase().as_str() {
        "" | "na" | "n/a" | "nan" | "null" | "none" => Some(f64::NAN),
        _ => field.parse().ok(),
    }
}

/// The candidate that occurs most often in the first line.
fn separator(text: &[u8]) -> u8 {
    let line = text.split(|&b| b == b'\n').next().unwrap_or(text);
    let count = |separator: &u8| line.iter().filter(|b| *b == separator).count();
    // The first of those that are equally frequent.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

/// Writes times, if there are any, and channels. Numbers have as many digits as tell them from all others.
pub(crate) fn write(table: &Table) -> Result<Vec<u8>> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let time = table.times.as_ref().map(|_| "time");
    writer.write_record(time.into_iter().chain(table.names.iter().map(String::as_str)))?;
    let single = table.sample_type == pinhole::sensor::SampleType::F32;
    for (t, row) in table.values.chunks(table.channels().max(1)).enumerate() {
        let time = table
            .times
            .as_ref()
            .and_then(|(unit, times)| times.get(t).map(|&time| time::shown(*unit, time)));
        let fields = row.iter().map(|&x| match x {
            _ if x.is_nan() => String::new(),
            _ if single => (x as f32).to_string(),
            _ => x.to_string(),
        });
        writer.write_record(time.into_iter().chain(fields))?;
    }
    writer.into_inner().context("cannot write")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinhole::sensor::{SampleType, TimeUnit};

    #[test]
    fn tables_are_found_out() {
        let options = ReadOptions::default();
        let text = b"datetime;A;B c\n2020-03-09 10:14:33;0.5;\n2020-03-09 10:14:34;1e-3;NaN\n";
        let table = parse(text, &options).unwrap();
        assert_eq!(table.names, ["A", "B c"]);
        assert_eq!(table.sample_type, SampleType::F64);
        assert!(table.values[1].is_nan() && table.values[3].is_nan());
        assert_eq!((table.values[0], table.values[2]), (0.5, 0.001));
        assert_eq!(table.times.as_ref().unwrap().0, TimeUnit::UnixNanoseconds);
        assert_eq!(table.interval(), 1_000_000_000);
        assert_eq!(table.decimals(0), Some(3));
        let again = parse(&write(&table).unwrap(), &options).unwrap();
        assert_eq!((again.names, again.times), (table.names, table.times));

        let bare = parse(b"1,2,3\n4,5,6\n", &options).unwrap();
        assert_eq!((bare.channels(), bare.len()), (3, 2));
        assert_eq!(bare.sample_type, SampleType::I32);
        assert!(parse(b"", &options).is_err());
        assert!(parse(b"a,b\n1,x\n", &options).unwrap_err().to_string().contains("line 2"));
        assert!(parse(b"a,b\n1,2,3\n", &options).is_err());
    }
}
