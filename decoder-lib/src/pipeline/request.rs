//! Requests, and what becomes of them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{Decoded, Error, Model, Options};

/// A stream to decode.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request {
    /// The model to use. The request keeps it alive.
    pub model: Model,
    /// The stream.
    pub stream: Bytes,
    /// How to decode it.
    pub options: Options,
    /// When the answer is of no more use. A picture that is being drawn then is still drawn.
    pub deadline: Option<Instant>,
}

impl Request {
    /// A request with default options and no deadline.
    pub fn new(model: &Model, stream: impl Into<Bytes>) -> Self {
        let (model, stream) = (model.clone(), stream.into());
        Request { model, stream, options: Options::default(), deadline: None }
    }

    /// The same request with these options.
    #[must_use]
    pub fn with_options(self, options: Options) -> Self {
        Request { options, ..self }
    }

    /// The same request with a deadline.
    #[must_use]
    pub fn by(self, deadline: Instant) -> Self {
        Request { deadline: Some(deadline), ..self }
    }
}

/// A request that was accepted: a future of its picture, for any executor. Dropping it cancels the request, unless its
/// picture is being drawn already.
#[derive(Debug)]
pub struct Ticket(oneshot::Receiver<Result<Decoded, Error>>);

impl Ticket {
    /// Waits for the picture. Not for use inside of an executor: await the ticket there.
    ///
    /// # Errors
    /// [`Error`]
    pub fn wait(self) -> Result<Decoded, Error> {
        self.0.blocking_recv().unwrap_or(Err(Error::ShuttingDown))
    }
}

impl Future for Ticket {
    type Output = Result<Decoded, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.0).poll(context);
        answer.map(|answer| answer.unwrap_or(Err(Error::ShuttingDown)))
    }
}

/// A request on its way.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) accepted: Instant,
    answer: oneshot::Sender<Result<Decoded, Error>>,
}

impl Job {
    pub(super) fn new(request: Request) -> (Self, Ticket) {
        let (answer, ticket) = oneshot::channel();
        (Job { request, accepted: Instant::now(), answer }, Ticket(ticket))
    }

    /// Answers the request. Nobody may be waiting any more.
    pub(super) fn answer(self, result: Result<Decoded, Error>) {
        let _ = self.answer.send(result);
    }

    /// The job, if it is still worth doing; otherwise it has its answer.
    pub(super) fn still_wanted(self) -> Option<Self> {
        if self.answer.is_closed() {
            return None;
        }
        if self.request.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            let waited = self.accepted.elapsed();
            self.answer(Err(Error::DeadlineExceeded(waited)));
            return None;
        }
        Some(self)
    }
}
