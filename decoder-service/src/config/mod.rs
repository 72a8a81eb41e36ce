//! What the service is told before it starts: a TOML file, each setting with a default.
mod limits;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pinhole_decoder::{Provider, Runtime};
use serde::Deserialize;

use crate::auth::TokenConfig;
use crate::drift::DriftSettings;
use crate::rollout::Plan;

pub use limits::Limits;

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Model repository: a folder, or a URL such as `s3://bucket/models`.
    pub repository: String,
    /// Model of requests that name none; the only one there is, if empty.
    pub default_model: String,
    /// Folder of Ed25519 public keys, or one file: bundles must be signed by one of them. Empty: signatures are not asked for.
    pub trusted_keys: Option<PathBuf>,
    /// Seconds between looks at the repository.
    pub poll_seconds: u64,
    /// Threads that decode; 0 means one for each core.
    pub threads: usize,
    /// What runs float decoders.
    pub runtime: FloatRuntime,
    /// Number of the GPU, where one is used.
    pub device: i32,
    /// Lets everybody do everything on an address that others can reach, where no tokens are configured.
    pub allow_anonymous: bool,
    /// Seconds that a stop waits for what was accepted.
    pub drain_seconds: u64,
    /// Seconds between "not ready" and the end of listening, for load balancers to notice.
    pub leave_seconds: u64,
    /// What requests may take.
    pub limits: Limits,
    /// Bytes of the result cache; 0 means none.
    pub cache_bytes: u64,
    /// Certificate and key, if the service itself speaks TLS.
    pub tls: Option<Tls>,
    /// Origins whose pages may call the service; none if empty.
    pub cors_origins: Vec<String>,
    /// Logs, traces, metrics.
    pub telemetry: Telemetry,
    /// Watching what arrives.
    pub drift: DriftSettings,
    /// How challengers are tried unless a request says otherwise.
    pub rollout: Plan,
    /// Who may do what.
    pub tokens: Vec<TokenConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            repository: "models".to_owned(),
            default_model: String::new(),
            trusted_keys: None,
            poll_seconds: 5,
            threads: 0,
            runtime: FloatRuntime::default(),
            device: 0,
            allow_anonymous: false,
            drain_seconds: 30,
            leave_seconds: 0,
            limits: Limits::default(),
            cache_bytes: 64 << 20,
            tls: None,
            cors_origins: Vec::new(),
            telemetry: Telemetry::default(),
            drift: DriftSettings::default(),
            rollout: Plan::default(),
            tokens: Vec::new(),
        }
    }
}

/// What runs float decoders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FloatRuntime {
    /// tract, on the CPU; needs the feature `tract`.
    #[default]
    Tract,
    /// ONNX Runtime on the CPU; needs the feature `ort`, as do the next two.
    OrtCpu,
    /// ONNX Runtime on an NVIDIA GPU.
    OrtCuda,
    /// ONNX Runtime with TensorRT.
    OrtTensorrt,
}

impl FloatRuntime {
    /// The same, as the decoder library says it.
    pub(crate) fn chosen(self, device: i32) -> Runtime {
        match self {
            FloatRuntime::Tract => Runtime::Tract,
            FloatRuntime::OrtCpu => Runtime::Ort(Provider::Cpu),
            FloatRuntime::OrtCuda => Runtime::Ort(Provider::Cuda { device }),
            FloatRuntime::OrtTensorrt => Runtime::Ort(Provider::TensorRt { device }),
        }
    }
}

/// Certificate and key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file of the certificate chain.
    pub certificate: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
}

/// Logs, traces, metrics.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// What is logged, as `tracing` filters say it: `info`, `pinhole_serve=debug,warn` …
    pub log: String,
    /// One JSON object a line instead of text.
    pub json: bool,
    /// Collector of traces (OTLP over HTTP), such as `http://localhost:4318/v1/traces`.
    pub otlp_endpoint: Option<String>,
    /// Whether `/metrics` needs a token with the scope `metrics`.
    pub protect_metrics: bool,
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry {
            log: "info".to_owned(),
            json: false,
            otlp_endpoint: None,
            protect_metrics: false,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is no TOML, or has settings that are not known.
    #[error("{path}: {source}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value makes no sense.
    #[error("{0}")]
    Value(String),
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|e| ConfigError::Parse { path: path.to_owned(), source: Box::new(e) })
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// [`ConfigError::Value`]
    pub fn check(&self) -> Result<(), ConfigError> {
        let value = |reason: String| Err(ConfigError::Value(reason));
        if self.tokens.is_empty() && !self.listen.ip().is_loopback() && !self.allow_anonymous {
            return value(format!(
                "{} can be reached from elsewhere and no tokens are configured: add [[tokens]], or set \
                 allow_anonymous",
                self.listen
            ));
        }
        self.limits.check().or_else(value)?;
        self.rollout.check().or_else(|reason| value(format!("rollout: {reason}")))
    }

    /// Threads that decode.
    pub fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_sets_what_it_names() {
        let text = r#"
            listen = "127.0.0.1:9000"
            threads = 3
            [limits]
            queue = 7
            [rollout]
            share = 0.2
            [rollout.slo]
            error_rate = 0.5
            [[tokens]]
            name = "ops"
            sha256 = "00"
            scopes = ["decode", "admin"]
        "#;
        let config: Config = toml::from_str(text).unwrap();
        assert_eq!((config.threads(), config.limits.queue, config.rollout.share), (3, 7, 0.2));
        assert_eq!(config.rollout.slo.error_rate, 0.5);
        assert_eq!(config.tokens[0].scopes.len(), 2);
        assert_eq!(config.limits.max_pixels, Limits::default().max_pixels);
        assert!(config.check().is_ok());
        assert!(toml::from_str::<Config>("listne = 1").is_err());
    }

    #[test]
    fn an_open_service_must_be_meant() {
        let open = Config { listen: SocketAddr::from(([0, 0, 0, 0], 80)), ..Config::default() };
        assert!(open.check().is_err());
        assert!(Config { allow_anonymous: true, ..open }.check().is_ok());
        let mut config = Config::default();
        config.limits.max_body_bytes = 0;
        assert!(config.check().is_err());
    }
}
