//! Starting and asking a server.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::Value;
use tempfile::TempDir;

use crate::bundles;

/// A server process with a folder of models; killed when dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) folder: TempDir,
}

impl Server {
    /// A server of the toy model, version 1 in production, with these settings (TOML).
    pub(crate) fn start(settings: &str) -> Self {
        Self::with(settings, |models| put(models, 1, &bundles::good()))
    }

    /// A server whose models folder was filled by `fill`.
    pub(crate) fn with(settings: &str, fill: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path().join("models");
        std::fs::create_dir(&models).unwrap();
        fill(&models);
        Self::launch(folder, &models, settings)
    }

    /// A server on models that are somewhere else.
    pub(crate) fn on(models: &Path, settings: &str) -> Self {
        Self::launch(tempfile::tempdir().unwrap(), models, settings)
    }

    fn launch(folder: TempDir, models: &Path, settings: &str) -> Self {
        let text = format!(
            "repository = \"{}\"\nlisten = \"127.0.0.1:0\"\npoll_seconds = 1\n{settings}",
            models.display()
        );
        let path = folder.path().join("serve.toml");
        std::fs::write(&path, text).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_pinhole-serve"))
            .arg(&path)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
            panic!("did not start: {line} {log}");
        };
        // Which TLS provider to use is the program's choice.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Server { child, url: url.to_owned(), client, folder }
    }

    pub(crate) fn models(&self) -> std::path::PathBuf {
        self.folder.path().join("models")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.split("//").nth(1).unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Response {
        self.client.post(format!("{}{path}", self.url)).body(body).send().await.unwrap()
    }

    /// Samples of a stream.
    pub(crate) async fn raw(&self, stream: &[u8]) -> Response {
        let request = self.client.post(format!("{}/v1/decode", self.url)).body(stream.to_vec());
        request.header("accept", "application/octet-stream").send().await.unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// Puts a version of the model `toy` into a folder.
pub(crate) fn put(models: &Path, version: u64, bundle: &[u8]) {
    let folder = models.join("toy").join(version.to_string());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("model.pinm"), bundle).unwrap();
}

/// What an answer says went wrong.
pub(crate) async fn code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let media = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(media, "application/problem+json");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status);
    (status, problem["code"].as_str().unwrap().to_owned())
}
