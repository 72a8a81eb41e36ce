//! Models.

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;

use crate::{error, planes};

/// A model: what encoders and decoders compute with. Loaded once and shared by them; it may be used by any number of
/// threads. `Model()` is the one that comes with the package.
#[pyclass(module = "pinhole", frozen)]
pub(crate) struct Model(pinhole_owned::Model);

impl Model {
    pub(crate) fn get(&self) -> &pinhole_owned::Model {
        &self.0
    }
}

#[pymethods]
impl Model {
    #[new]
    fn new() -> PyResult<Self> {
        pinhole_owned::Model::embedded().map(Model).map_err(error::model)
    }

    /// Loads a bundle (the bytes of a `.pinm` file), which is copied.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: PyBuffer<u8>) -> PyResult<Self> {
        let bytes = planes::bytes(&data)?;
        py.detach(|| pinhole_owned::Model::from_bytes(bytes)).map(Model).map_err(error::model)
    }

    /// What streams must have been made for to be decoded with this model, as 16 hexadecimal digits.
    #[getter]
    fn latent_space(&self) -> String {
        hex(&self.0.bundle().latent_space())
    }

    /// Name, version, lineage and metrics of the model, as JSON.
    #[getter]
    fn manifest(&self) -> &str {
        self.0.bundle().manifest()
    }

    /// Whether it encodes.
    #[getter]
    fn can_encode(&self) -> bool {
        self.0.bundle().can_encode()
    }

    /// Whether it decodes; models for devices may leave that out.
    #[getter]
    fn can_decode(&self) -> bool {
        self.0.bundle().can_decode()
    }

    /// The efforts it can encode with.
    #[getter]
    fn efforts(&self) -> Vec<&'static str> {
        self.0.bundle().efforts().map(pinhole::Effort::name).collect()
    }

    /// The int8 decoders it has.
    #[getter]
    fn decoders(&self) -> Vec<&'static str> {
        self.0.bundle().syntheses().map(pinhole::Synthesis::name).collect()
    }

    fn __repr__(&self) -> String {
        format!("<pinhole.Model of latent space {}>", self.latent_space())
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
