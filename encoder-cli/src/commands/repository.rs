//! `pinhole model keygen|sign|push|promote|rollback|versions`.

#[cfg(feature = "repository")]
pub(super) use with::*;
#[cfg(not(feature = "repository"))]
pub(super) use without::*;

#[cfg(feature = "repository")]
mod with {
    use std::fmt::Write as _;
    use std::fs;
    use std::path::{Path, PathBuf};

    use anyhow::{Context, Result, anyhow};
    use pinhole_repository::{Repository, Stage, State, Trust, keys, signature};

    use crate::args::RepositoryArgs;
    use crate::commands::{print, print_json};
    use crate::output;
    use crate::report::shown;

    pub(crate) fn keygen(file: &Path) -> Result<()> {
        let mut public = file.as_os_str().to_owned();
        public.push(".pub");
        let public = PathBuf::from(public);
        if file.exists() || public.exists() {
            return Err(anyhow!("there is a key already, and bundles may need it"));
        }
        let key = keys::generate()?;
        write_secret(file, keys::private_pem(&key)?.as_bytes())?;
        output::write_file(&public, keys::public_pem(&key.verifying_key())?.as_bytes())?;
        let name = signature::name(&key.verifying_key());
        print(&format!("{} (secret), {}: key {name}\n", shown(file), shown(&public)))
    }

    /// Writes a new file that only its owner can read.
    fn write_secret(path: &Path, bytes: &[u8]) -> Result<()> {
        use std::io::Write as _;
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(bytes)?;
        Ok(file.sync_all()?)
    }

    pub(crate) fn sign(bundle: &Path, key: &Path, to: &Path) -> Result<()> {
        let key = keys::read_private(key)?;
        let signed = signature::sign(&fs::read(bundle)?, &key)?;
        output::write_file(to, &signed)?;
        let name = signature::name(&key.verifying_key());
        print(&format!("{}: {} bytes, signed by {name}\n", shown(to), signed.len()))
    }

    /// What there is to say about a bundle's signature.
    pub(crate) fn check_signature(path: &Path, trusted: &[PathBuf]) -> Result<Vec<String>> {
        let bytes = fs::read(path)?;
        let bundle = pinhole::Bundle::parse(&bytes)?;
        let signer = trust(trusted)?.check(&bundle, "the bundle")?;
        Ok(vec![match signer {
            Some(key) => format!("signed by {}", signature::name(&key)),
            None => "not signed".to_owned(),
        }])
    }

    /// Trust in the keys of these files; in anyone, if there are none.
    fn trust(files: &[PathBuf]) -> Result<Trust> {
        if files.is_empty() {
            return Ok(Trust::Anyone);
        }
        let keys: Result<Vec<_>, _> = files.iter().map(|path| keys::read_public(path)).collect();
        Ok(Trust::Keys(keys?))
    }

    /// Does something with the repository.
    fn with<T>(
        args: &RepositoryArgs,
        work: impl AsyncFnOnce(Repository) -> Result<T, pinhole_repository::Error>,
    ) -> Result<T> {
        let repository = Repository::open(&args.address, trust(&args.trust)?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(work(repository))?)
    }

    pub(crate) fn push(
        bundle: &Path,
        args: &RepositoryArgs,
        name: Option<&str>,
        tag: Option<&str>,
    ) -> Result<()> {
        let bytes = fs::read(bundle)?;
        // A folder is made when the first model comes; a store's buckets are not ours to make.
        if !args.address.contains("://") {
            fs::create_dir_all(&args.address).with_context(|| args.address.clone())?;
        }
        let (model, number, _) =
            with(args, async |repository| repository.push(name, bytes.into(), tag).await)?;
        print(&format!("{model}: version {number}, candidate\n"))
    }

    pub(crate) fn promote(
        model: &str,
        version: &str,
        args: &RepositoryArgs,
        stage: &str,
    ) -> Result<()> {
        let stage: Stage = stage.parse()?;
        let (number, before) = with(args, async |repository| {
            let state = repository.state(model).await?;
            let number = state.resolve(version)?;
            // What cannot be loaded must not be promoted.
            repository.fetch(model, number).await?;
            repository.set_stage(model, number, stage).await?;
            Ok((number, state.in_stage(stage).next()))
        })?;
        let archives = matches!(stage, Stage::Production | Stage::Staging);
        let before = match before.filter(|_| archives) {
            Some(before) => format!(", in place of version {before}"),
            None => String::new(),
        };
        print(&format!("{model}: version {number}, {stage}{before}\n"))
    }

    pub(crate) fn roll_back(model: &str, args: &RepositoryArgs) -> Result<()> {
        let state = with(args, async |repository| repository.roll_back(model).await)?;
        let number = state.production().unwrap_or_default();
        print(&format!("{model}: version {number}, production\n"))
    }

    pub(crate) fn versions(model: Option<&str>, args: &RepositoryArgs, json: bool) -> Result<()> {
        let states = with(args, async |repository| {
            let models = match model {
                Some(model) => vec![model.to_owned()],
                None => repository.models().await?,
            };
            let mut states = std::collections::BTreeMap::new();
            for model in models {
                let state = repository.state(&model).await?;
                states.insert(model, state);
            }
            Ok(states)
        })?;
        if json {
            return print_json(&states);
        }
        let mut text = String::new();
        for (model, state) in &states {
            writeln!(text, "{model}")?;
            for (number, version) in &state.versions {
                let tags = tags(state, *number);
                let signed = if version.signer.is_some() { "signed" } else { "not signed" };
                writeln!(
                    text,
                    "  {number:>4}  {:<10}  {:<10}  {signed}, {} bytes{tags}",
                    version.stage.name(),
                    version.label,
                    version.bytes
                )?;
            }
        }
        print(&text)
    }

    fn tags(state: &State, number: u64) -> String {
        let tags = state.tags.iter().filter(|(_, version)| **version == number);
        tags.map(|(tag, _)| format!(", {tag}")).collect()
    }
}

#[cfg(not(feature = "repository"))]
mod without {
    use std::path::{Path, PathBuf};

    use anyhow::{Result, anyhow};

    use crate::args::RepositoryArgs;

    fn missing() -> Result<()> {
        Err(anyhow!(
            "this program was built without model repositories: build it with `--features repository`"
        ))
    }

    pub(crate) fn keygen(_file: &Path) -> Result<()> {
        missing()
    }

    pub(crate) fn sign(_bundle: &Path, _key: &Path, _to: &Path) -> Result<()> {
        missing()
    }

    pub(crate) fn check_signature(_path: &Path, trusted: &[PathBuf]) -> Result<Vec<String>> {
        if trusted.is_empty() { Ok(Vec::new()) } else { missing().map(|()| Vec::new()) }
    }

    pub(crate) fn push(
        _bundle: &Path,
        _args: &RepositoryArgs,
        _name: Option<&str>,
        _tag: Option<&str>,
    ) -> Result<()> {
        missing()
    }

    pub(crate) fn promote(
        _model: &str,
        _version: &str,
        _args: &RepositoryArgs,
        _stage: &str,
    ) -> Result<()> {
        missing()
    }

    pub(crate) fn roll_back(_model: &str, _args: &RepositoryArgs) -> Result<()> {
        missing()
    }

    pub(crate) fn versions(
        _model: Option<&str>,
        _args: &RepositoryArgs,
        _json: bool,
    ) -> Result<()> {
        missing()
    }
}
