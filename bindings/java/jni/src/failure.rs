//! Failures as Java exceptions.

use jni::errors::ErrorPolicy;
use jni::objects::{JThrowable, JValue};
use jni::{Env, EnvUnowned, jni_sig, jni_str};
use pinhole::format::FormatError;
use pinhole::{DecodeError, EncodeError};
use pinhole_owned::{Kind, ModelError};

/// What went wrong. The numbers are those of `pinhole.ErrorCode` and, where it has them, of the C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    InvalidArgument = 2,
    BufferTooSmall = 3,
    Broken = 5,
    Io = 6,
    BadModel = 7,
    WrongModel = 8,
    Truncated = 9,
    Damaged = 10,
    NotAStream = 11,
    Unsupported = 12,
    TooManyPixels = 13,
    TargetTooSmall = 14,
    WrongRows = 15,
    MissingRows = 16,
    Internal = 18,
    Closed = 100,
    OutOfMemory = 101,
}

/// Why a native method fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// To be thrown.
    Own(Code, String),
    /// The Java side refused something; maybe it has thrown already.
    Java(jni::errors::Error),
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Failure::Own(code, message.into())
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    pub(crate) fn code(&self) -> Code {
        match self {
            Failure::Own(code, _) => *code,
            // A null, an array that is shorter than it was: the caller's, if it is not a pending exception.
            Failure::Java(_) => Code::InvalidArgument,
        }
    }

    fn message(&self) -> String {
        match self {
            Failure::Own(_, message) => message.clone(),
            Failure::Java(error) => error.to_string(),
        }
    }
}

impl From<jni::errors::Error> for Failure {
    fn from(error: jni::errors::Error) -> Self {
        Failure::Java(error)
    }
}

impl From<Kind> for Code {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::InvalidArgument => Code::InvalidArgument,
            Kind::BufferTooSmall => Code::BufferTooSmall,
            Kind::NotAStream => Code::NotAStream,
            Kind::Unsupported => Code::Unsupported,
            Kind::Truncated => Code::Truncated,
            Kind::Damaged => Code::Damaged,
            Kind::WrongModel => Code::WrongModel,
            Kind::BadModel => Code::BadModel,
            Kind::TooManyPixels => Code::TooManyPixels,
            Kind::TargetTooSmall => Code::TargetTooSmall,
            Kind::WrongRows => Code::WrongRows,
            Kind::MissingRows => Code::MissingRows,
            Kind::Broken => Code::Broken,
            Kind::Io => Code::Io,
            Kind::Internal => Code::Internal,
        }
    }
}

impl From<EncodeError> for Failure {
    fn from(error: EncodeError) -> Self {
        Failure::new(Kind::from(&error).into(), error.to_string())
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Failure::new(Kind::from(&error).into(), error.to_string())
    }
}

impl From<FormatError> for Failure {
    fn from(error: FormatError) -> Self {
        Failure::new(Kind::from(&error).into(), error.to_string())
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Failure::new(Kind::from(&error).into(), error.to_string())
    }
}

/// Runs a native method: whatever goes wrong, a panic included, is thrown as `pinhole.PinholeException`, and the
/// answer is then 0 or null, which Java never sees.
pub(crate) fn native<'e, T: Default>(
    env: &mut EnvUnowned<'e>,
    work: impl FnOnce(&mut Env<'e>) -> Result<T, Failure>,
) -> T {
    env.with_env(work).resolve::<Throw>()
}

struct Throw;

impl<T: Default> ErrorPolicy<T, Failure> for Throw {
    type Captures<'e: 'm, 'm> = ();

    fn on_error<'e: 'm, 'm>(
        env: &mut Env<'e>,
        _: &mut (),
        failure: Failure,
    ) -> jni::errors::Result<T> {
        throw(env, &failure)?;
        Ok(T::default())
    }

    fn on_panic<'e: 'm, 'm>(
        env: &mut Env<'e>,
        _: &mut (),
        payload: Box<dyn std::any::Any + Send + 'static>,
    ) -> jni::errors::Result<T> {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = format!("a defect of the library: {}", text.unwrap_or("no message"));
        throw(env, &Failure::new(Code::Internal, message))?;
        Ok(T::default())
    }
}

fn throw(env: &mut Env<'_>, failure: &Failure) -> jni::errors::Result<()> {
    if env.exception_check() {
        return Ok(());
    }
    let message = env.new_string(failure.message())?;
    let arguments = [JValue::Int(failure.code() as i32), JValue::Object(&message)];
    let class = env.find_class(jni_str!("pinhole/PinholeException"))?;
    let exception = env.new_object(&class, jni_sig!("(ILjava/lang/String;)V"), &arguments)?;
    let exception = env.cast_local::<JThrowable>(exception)?;
    match env.throw(&exception) {
        // Its way of saying that there is an exception now.
        Err(jni::errors::Error::JavaException) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_keep_their_meaning() {
        let truncated = FormatError::Truncated { needed: 30, available: 3 };
        let error = DecodeError::Format(truncated);
        assert_eq!(Failure::from(error).code(), Code::Truncated);
        let rows = Failure::from(EncodeError::OddRows(3));
        assert_eq!(rows.code(), Code::WrongRows);
        assert!(rows.message().starts_with("3 rows"));
        let model = pinhole_owned::Model::from_bytes(b"GIF89a").unwrap_err();
        assert_eq!(Failure::from(model).code(), Code::BadModel);
    }
}
