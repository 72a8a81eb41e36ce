//! Float decoders in ONNX Runtime, on CPUs and NVIDIA GPUs. The library is loaded when the first model is.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::ep;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::Session;
use ort::value::Tensor;

use super::float::{Graph, Shape};
use crate::pool::Pool;
use crate::{Error, LoadError, Provider};

/// Sessions that are kept; there are as many as threads that draw at once.
const SESSIONS: usize = 64;
/// Pictures drawn together on a GPU.
const BATCH: usize = 8;

/// An ONNX graph and its sessions.
pub(crate) struct Ort {
    name: String,
    provider: Provider,
    threads: usize,
    onnx: Vec<u8>,
    input: String,
    output: String,
    sessions: Pool<Session>,
}

impl Ort {
    /// Loads the runtime, if it is not yet, and the graph of `channels` latents; `threads` are those of one picture on
    /// the CPU.
    pub(crate) fn new(
        onnx: &[u8],
        channels: usize,
        provider: Provider,
        threads: usize,
    ) -> Result<Self, LoadError> {
        let name = match provider {
            Provider::Cpu => "ort cpu".to_owned(),
            Provider::Cuda { device } => format!("ort cuda:{device}"),
            Provider::TensorRt { device } => format!("ort tensorrt:{device}"),
        };
        let failed = |reason: String| LoadError::Backend { backend: name.clone(), reason };
        let session = open(onnx, provider, threads).map_err(failed)?;
        let one = |names: Vec<String>, what: &str| match &names[..] {
            [one] => Ok(one.clone()),
            _ => Err(failed(format!("the graph has {} {what} instead of one", names.len()))),
        };
        let input = one(session.inputs().iter().map(|i| i.name().to_owned()).collect(), "inputs")?;
        let output =
            one(session.outputs().iter().map(|o| o.name().to_owned()).collect(), "outputs")?;
        let (onnx, sessions) = (onnx.to_vec(), Pool::new(SESSIONS));
        let ort = Ort { name: name.clone(), provider, threads, onnx, input, output, sessions };
        // The smallest picture there is: whatever the graph cannot do shows here and not with the first request.
        let shape = Shape { batch: 1, channels, rows: 1, columns: 1 };
        let result = ort
            .sessions
            .with(|| Ok(session), |session| ort.run_in(session, shape, vec![0.0; channels]));
        let picture = result.map_err(failed)?;
        let due = shape.output().iter().product::<usize>();
        if picture.len() != due {
            return Err(failed(format!("gives {} values where {due} are due", picture.len())));
        }
        Ok(ort)
    }

    /// Input and output are bound, so that they are copied to and from the device once, the output to memory that the
    /// device can write to directly.
    fn run_in(
        &self,
        session: &mut Session,
        shape: Shape,
        latents: Vec<f32>,
    ) -> Result<Vec<f32>, String> {
        let run = || -> ort::Result<Vec<f32>> {
            let latents = Tensor::from_array((shape.input(), latents))?;
            let mut binding = session.create_binding()?;
            binding.bind_input(&*self.input, &latents)?;
            let memory = match self.provider {
                Provider::Cpu => MemoryInfo::default(),
                Provider::Cuda { device } | Provider::TensorRt { device } => MemoryInfo::new(
                    AllocationDevice::CUDA_PINNED,
                    device,
                    AllocatorType::Device,
                    MemoryType::CPUOutput,
                )?,
            };
            binding.bind_output_to_device(&*self.output, &memory)?;
            let outputs = session.run_binding(&binding)?;
            let (_, picture) = outputs[&*self.output].try_extract_tensor::<f32>()?;
            Ok(picture.to_vec())
        };
        run().map_err(|e| e.to_string())
    }
}

/// The library named by `ORT_DYLIB_PATH`, or found by the system's loader.
fn environment() -> Result<Environment, String> {
    static LOADED: Mutex<Option<Environment>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = &*loaded {
        return Ok(environment.clone());
    }
    let path = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty());
    let path = path.map_or_else(|| PathBuf::from(LIBRARY), PathBuf::from);
    let library = ort::init_from(&path)
        .map_err(|e| format!("cannot load {} (set ORT_DYLIB_PATH): {e}", path.display()))?;
    let environment = library.with_name("pinhole").build().map_err(|e| e.to_string())?;
    *loaded = Some(environment.clone());
    Ok(environment)
}

const LIBRARY: &str = if cfg!(windows) {
    "onnxruntime.dll"
} else if cfg!(target_vendor = "apple") {
    "libonnxruntime.dylib"
} else {
    "libonnxruntime.so"
};

/// A session of the graph. A provider that is not there is an error, never a silent fall back to the CPU.
fn open(onnx: &[u8], provider: Provider, threads: usize) -> Result<Session, String> {
    let environment = environment()?;
    let builder = Session::builder(&environment).map_err(|e| e.to_string())?;
    let builder = builder.with_intra_threads(threads.max(1)).map_err(|e| e.to_string())?;
    let providers = match provider {
        Provider::Cpu => Vec::new(),
        Provider::Cuda { device } => {
            vec![ep::CUDA::default().with_device_id(device).build().error_on_failure()]
        }
        Provider::TensorRt { device } => vec![
            ep::TensorRT::default()
                .with_device_id(device)
                .with_fp16(true)
                .build()
                .error_on_failure(),
            ep::CUDA::default().with_device_id(device).build().error_on_failure(),
        ],
    };
    let builder = builder.with_execution_providers(providers);
    let mut builder = builder.map_err(|e| e.to_string())?;
    builder.commit_from_memory(onnx).map_err(|e| e.to_string())
}

impl Graph for Ort {
    fn name(&self) -> &str {
        &self.name
    }

    fn largest_batch(&self) -> usize {
        if self.provider == Provider::Cpu { 1 } else { BATCH }
    }

    fn run(&self, shape: Shape, latents: Vec<f32>) -> Result<Vec<f32>, Error> {
        let make = || open(&self.onnx, self.provider, self.threads);
        let result = self.sessions.with(make, |session| self.run_in(session, shape, latents));
        result.map_err(|reason| Error::Backend { backend: self.name.clone(), reason })
    }

    fn warm_up(&self, shape: Shape) -> Result<(), Error> {
        // Single pictures and whole batches are what the runtime tunes its kernels for.
        for batch in [1, self.largest_batch()] {
            let shape = Shape { batch, ..shape };
            self.run(shape, vec![0.0; shape.input().iter().product()])?;
        }
        Ok(())
    }
}

impl fmt::Debug for Ort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ort").field("name", &self.name).finish_non_exhaustive()
    }
}
