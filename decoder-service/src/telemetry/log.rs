//! Structured logs, and traces to an OpenTelemetry collector.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::Telemetry;

/// Keeps traces flowing; sends what is left when dropped.
#[derive(Debug)]
pub struct Guard {
    #[cfg(feature = "otlp")]
    provider: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

/// Starts logging, for the whole process. Logs go to standard error.
///
/// # Errors
/// A filter that cannot be read, a collector that cannot be addressed, or logging that has been started before.
pub fn start(settings: &Telemetry) -> Result<Guard, String> {
    let filter = EnvFilter::try_new(&settings.log).map_err(|e| format!("telemetry.log: {e}"))?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if settings.json {
        lines.json().flatten_event(true).with_span_list(false).boxed()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
    #[cfg(feature = "otlp")]
    {
        let provider = match &settings.otlp_endpoint {
            Some(endpoint) => Some(otlp::provider(endpoint)?),
            None => None,
        };
        let traces = provider.as_ref().map(otlp::layer);
        subscriber.with(traces).try_init().map_err(|e| e.to_string())?;
        Ok(Guard { provider })
    }
    #[cfg(not(feature = "otlp"))]
    {
        if settings.otlp_endpoint.is_some() {
            return Err("telemetry.otlp_endpoint: built without the feature otlp".to_owned());
        }
        subscriber.try_init().map_err(|e| e.to_string())?;
        Ok(Guard {})
    }
}

#[cfg(feature = "otlp")]
impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take() {
            // A collector that is gone must not keep the service from ending.
            let _ = provider.shutdown();
        }
    }
}

/// Makes a span the child of the trace that a request's headers name (W3C Trace Context), if they do.
#[cfg(feature = "otlp")]
pub(crate) fn follow(span: &tracing::Span, headers: &axum::http::HeaderMap) {
    use opentelemetry::propagation::{Extractor, TextMapPropagator};
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    struct Headers<'h>(&'h axum::http::HeaderMap);
    impl Extractor for Headers<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            self.0.get(key)?.to_str().ok()
        }
        fn keys(&self) -> Vec<&str> {
            self.0.keys().map(axum::http::HeaderName::as_str).collect()
        }
    }
    if headers.contains_key("traceparent") {
        let parent = TraceContextPropagator::new().extract(&Headers(headers));
        // Fails where nothing traces: then there is nothing to follow.
        let _ = span.set_parent(parent);
    }
}

#[cfg(feature = "otlp")]
mod otlp {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing::Subscriber;
    use tracing_subscriber::filter::LevelFilter;
    use tracing_subscriber::registry::LookupSpan;
    use tracing_subscriber::{EnvFilter, Layer};

    pub(super) fn provider(endpoint: &str) -> Result<SdkTracerProvider, String> {
        // The exporter's HTTP client may have been built to ask the program which TLS to use; it may have been told already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpJson)
            .with_endpoint(endpoint)
            .build()
            .map_err(|e| format!("telemetry.otlp_endpoint: {e}"))?;
        let resource = Resource::builder().with_service_name("pinhole-serve").build();
        Ok(SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build())
    }

    pub(super) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        // Spans of this service alone: the exporter's own requests must not be traced.
        let filter = EnvFilter::default().add_directive(LevelFilter::OFF.into());
        let filter = match "pinhole_serve=info".parse() {
            Ok(own) => filter.add_directive(own),
            Err(_) => filter,
        };
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("pinhole-serve"))
            .with_filter(filter)
    }
}
