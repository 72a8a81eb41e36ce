//! The Python module `pinhole._native`: the codec's calls on Python's buffers. The package around it
//! (`python/pinhole`) turns pictures into buffers and back; users import that.
//!
//! Every call that codes releases the GIL. An encoder, decoder or stream that two threads use at once serves one after
//! the other.

mod decoder;
mod encoder;
mod error;
mod format;
mod model;
mod planes;
mod pool;
mod sensor;
mod stream;

use pyo3::pymodule;

/// What the extension module holds.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::decoder::{Decoder, header_len, inspect};
    #[pymodule_export]
    use crate::encoder::Encoder;
    #[pymodule_export]
    use crate::error::{DecodeError, EncodeError, ModelError, PinholeError};
    #[pymodule_export]
    use crate::model::Model;
    #[pymodule_export]
    use crate::sensor::{SensorDecoder, SensorEncoder, SensorModel, sensor_scores};
    #[pymodule_export]
    use crate::stream::StreamEncoder;

    /// The package's version.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
