//! Sensor streams: the encoder and decoder of time series on Python's buffers.

use std::sync::Mutex;

use pinhole::format::FormatError;
use pinhole::sensor::{
    Promise, RawFrame, Sample, SampleType, SensorError, SensorHeader, SensorOptions, TimeUnit,
};
use pinhole_owned::{OwnedSensorDecoder, OwnedSensorEncoder, OwnedSensorModel};
use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};

use crate::error;
use crate::planes::bytes;

fn encode_error(error: SensorError) -> PyErr {
    error::EncodeError::new_err(error.to_string())
}

fn decode_error(error: SensorError) -> PyErr {
    match error {
        SensorError::NoModel(_) | SensorError::WrongModel { .. } => {
            error::ModelError::new_err(error.to_string())
        }
        error => error::DecodeError::new_err(error.to_string()),
    }
}

/// What the package hands over: promise, its quality, its numbers; type of samples; window, windows of a frame, key
/// interval; unit of times and their usual distance; whether there are scores; windows known to be normal; names.
#[derive(FromPyObject)]
pub(crate) struct Options {
    #[pyo3(item)]
    promise: String,
    #[pyo3(item)]
    quality: f32,
    #[pyo3(item)]
    per_channel: Vec<f64>,
    #[pyo3(item)]
    dtype: String,
    #[pyo3(item)]
    window: usize,
    #[pyo3(item)]
    windows_per_frame: u32,
    #[pyo3(item)]
    key_interval: u32,
    #[pyo3(item)]
    time_unit: Option<String>,
    #[pyo3(item)]
    interval: u64,
    #[pyo3(item)]
    scores: bool,
    #[pyo3(item)]
    calibration: u32,
    #[pyo3(item)]
    names: Vec<String>,
}

const TYPES: [(&str, SampleType); 7] = [
    ("float32", SampleType::F32),
    ("float64", SampleType::F64),
    ("int8", SampleType::I8),
    ("uint8", SampleType::U8),
    ("int16", SampleType::I16),
    ("uint16", SampleType::U16),
    ("int32", SampleType::I32),
];

const UNITS: [(&str, TimeUnit); 3] = [
    ("ticks", TimeUnit::Ticks),
    ("unix_ns", TimeUnit::UnixNanoseconds),
    ("ns", TimeUnit::Nanoseconds),
];

fn named<T: Copy>(list: &[(&str, T)], name: &str) -> PyResult<T> {
    let found = list.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, value)| *value)
        .ok_or_else(|| PyValueError::new_err(format!("{name:?} is not known")))
}

impl Options {
    fn get(self) -> PyResult<SensorOptions> {
        let promise = match self.promise.as_str() {
            "quality" => Promise::Quality { quality: self.quality, spread: self.per_channel },
            "max_error" => Promise::MaxError(self.per_channel),
            "lossless" => Promise::Lossless(self.per_channel),
            other => return Err(PyValueError::new_err(format!("promise {other:?} is not known"))),
        };
        let mut options = SensorOptions::new(promise, named(&TYPES, &self.dtype)?);
        options.names = self.names;
        options.window = self.window;
        options.windows_per_frame = self.windows_per_frame;
        options.key_interval = self.key_interval;
        options.scores = self.scores;
        options.calibration = self.calibration;
        options.time = match self.time_unit {
            Some(unit) => Some((named(&UNITS, &unit)?, self.interval)),
            None => None,
        };
        Ok(options)
    }
}

/// A model of one kind of sensor.
#[pyclass(module = "pinhole._native", frozen)]
pub(crate) struct SensorModel(OwnedSensorModel);

#[pymethods]
impl SensorModel {
    #[new]
    fn new(data: PyBuffer<u8>) -> PyResult<Self> {
        OwnedSensorModel::from_bytes(bytes(&data)?).map(SensorModel).map_err(error::model)
    }

    /// Channels of its streams.
    #[getter]
    fn channels(&self) -> usize {
        self.0.model().channels()
    }

    /// Samples of its windows.
    #[getter]
    fn window(&self) -> usize {
        self.0.model().window()
    }

    /// Name, version, lineage and metrics, as JSON.
    #[getter]
    fn manifest(&self) -> &str {
        self.0.model().manifest()
    }
}

/// Encodes one stream.
#[pyclass(module = "pinhole._native", frozen)]
pub(crate) struct SensorEncoder(Mutex<OwnedSensorEncoder>);

#[pymethods]
impl SensorEncoder {
    #[new]
    fn new(
        channels: usize,
        options: Options,
        model: Option<&SensorModel>,
        false_alarm_rate: f32,
    ) -> PyResult<Self> {
        let options = options.get()?;
        let encoder = match model {
            Some(SensorModel(model)) if model.model().channels() != channels => {
                let model = model.model().channels();
                Err(SensorError::ModelChannels { model, stream: channels })
            }
            Some(SensorModel(model)) => {
                OwnedSensorEncoder::with_model(model, &options, false_alarm_rate)
            }
            None => OwnedSensorEncoder::new(channels, &options),
        };
        Ok(SensorEncoder(Mutex::new(encoder.map_err(encode_error)?)))
    }

    /// Takes samples, `[time][channel]` in one run; what of the stream is ready.
    fn push<'py>(
        &self,
        py: Python<'py>,
        times: Option<PyBuffer<i64>>,
        samples: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let times = match &times {
            Some(times) => times.to_vec(py)?,
            None => Vec::new(),
        };
        let kind = error::lock(&self.0)?.with(|encoder| encoder.header().sample_type);
        let ready = match kind {
            SampleType::F64 => self.push_as::<f64>(py, &times, samples),
            SampleType::I8 => self.push_as::<i8>(py, &times, samples),
            SampleType::U8 => self.push_as::<u8>(py, &times, samples),
            SampleType::I16 => self.push_as::<i16>(py, &times, samples),
            SampleType::U16 => self.push_as::<u16>(py, &times, samples),
            SampleType::I32 => self.push_as::<i32>(py, &times, samples),
            _ => self.push_as::<f32>(py, &times, samples),
        }?;
        Ok(PyBytes::new(py, &ready))
    }

    /// Ends window and frame early.
    fn flush<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        py.detach(|| {
            error::lock(&self.0)?.with(|encoder| encoder.flush(&mut out)).map_err(encode_error)
        })?;
        Ok(PyBytes::new(py, &out))
    }

    /// Ends the stream.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        py.detach(|| {
            error::lock(&self.0)?.with(|encoder| encoder.finish(&mut out)).map_err(encode_error)
        })?;
        Ok(PyBytes::new(py, &out))
    }
}

impl SensorEncoder {
    fn push_as<S: Sample + Element + Send + Sync>(
        &self,
        py: Python<'_>,
        times: &[i64],
        samples: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<u8>> {
        let buffer = PyBuffer::<S>::get(samples)
            .map_err(|_| PyTypeError::new_err(format!("the samples must be {:?}", S::TYPE)))?;
        let samples = buffer.to_vec(py)?;
        py.detach(|| {
            let mut out = Vec::new();
            error::lock(&self.0)?
                .with(|encoder| encoder.push(times, &samples, &mut out))
                .map_err(encode_error)?;
            Ok(out)
        })
    }
}

/// First sample, samples of each channel, values and times as bytes, scores.
type Frame<'py> =
    (u64, usize, Bound<'py, PyByteArray>, Bound<'py, PyByteArray>, Bound<'py, PyBytes>, bool);

/// Decodes one stream.
#[pyclass(module = "pinhole._native", frozen)]
pub(crate) struct SensorDecoder(Mutex<OwnedSensorDecoder>);

#[pymethods]
impl SensorDecoder {
    #[new]
    fn new(conceal: bool, model: Option<&SensorModel>) -> Self {
        let mut decoder = OwnedSensorDecoder::new(model.map(|model| &model.0));
        decoder.with(|decoder| decoder.set_conceal(conceal));
        SensorDecoder(Mutex::new(decoder))
    }

    /// Appends bytes of the stream.
    fn push(&self, data: PyBuffer<u8>) -> PyResult<()> {
        let data = bytes(&data)?;
        error::lock(&self.0)?.with(|decoder| decoder.push(data));
        Ok(())
    }

    /// The next frame, if all of it is there.
    fn next_frame<'py>(&self, py: Python<'py>) -> PyResult<Option<Frame<'py>>> {
        let frame = py.detach(|| {
            error::lock(&self.0)?.with(|decoder| decoder.next_frame()).map_err(decode_error)
        })?;
        Ok(frame.map(|frame| {
            let values: Vec<u8> = frame.values.iter().flat_map(|x| x.to_ne_bytes()).collect();
            let times: Vec<u8> = frame.times.iter().flat_map(|t| t.to_ne_bytes()).collect();
            (
                frame.head.first_sample,
                frame.head.samples,
                PyByteArray::new(py, &values),
                PyByteArray::new(py, &times),
                PyBytes::new(py, &frame.head.scores),
                frame.head.last,
            )
        }))
    }

    /// Checks that the last frame has come.
    fn finish(&self) -> PyResult<()> {
        error::lock(&self.0)?.with(|decoder| decoder.finish()).map_err(decode_error)
    }

    /// What the header says, once it is there.
    fn header(&self) -> PyResult<Option<Header>> {
        error::lock(&self.0)?
            .with(|decoder| Ok(decoder.read_header().map_err(decode_error)?.map(Header::of)))
    }
}

/// Promise, type of samples, names, levels of a unit, bounds, window, unit of times, usual distance, threshold.
#[derive(IntoPyObject)]
pub(crate) struct Header(
    String,
    &'static str,
    Vec<String>,
    Vec<f64>,
    Vec<f64>,
    usize,
    Option<&'static str>,
    u64,
    u8,
);

impl Header {
    fn of(header: &SensorHeader) -> Self {
        let kind = TYPES.iter().find(|(_, kind)| *kind == header.sample_type);
        let unit = UNITS.iter().find(|(_, unit)| Some(*unit) == header.time_unit);
        Header(
            format!("{:?}", header.promise).to_lowercase(),
            kind.map_or("float64", |(name, _)| name),
            header.channels.iter().map(|c| c.name.clone()).collect(),
            header.channels.iter().map(|c| c.levels_per_unit).collect(),
            header.channels.iter().map(|c| c.max_error).collect(),
            header.window,
            unit.map(|(name, _)| *name),
            header.interval,
            header.threshold,
        )
    }
}

/// The scores of all whole frames, without decoding, and the threshold.
#[pyfunction]
pub(crate) fn sensor_scores<'py>(
    py: Python<'py>,
    data: PyBuffer<u8>,
) -> PyResult<(Bound<'py, PyBytes>, u8)> {
    let data = bytes(&data)?;
    let (header, mut at) = SensorHeader::parse(data).map_err(decode_error)?;
    let mut scores = Vec::new();
    while at < data.len() {
        match RawFrame::parse(&data[at..], &header) {
            Ok(raw) => {
                at += raw.length;
                scores.extend(raw.head.scores);
            }
            Err(SensorError::Format(FormatError::Truncated { .. })) => break,
            Err(error) => return Err(decode_error(error)),
        }
    }
    Ok((PyBytes::new(py, &scores), header.threshold))
}
