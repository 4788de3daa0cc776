//! The server's side of one connection: what its peer wants, and the answer that is being read from the store.
//!
//! At most one answer is being read and one waits for the stream, whatever is asked for. Knows no stream.

use std::sync::Arc;
use std::task::{Context, Poll};

use cid::Cid;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::answer::{Answer, answer};
use super::message::Want;
use super::outbound::Outgoing;
use super::peer::{Memory, Peer, Shared};
use super::wantlist::Wantlist;

/// Wants that are looked up for one answer.
const WANTS_PER_ANSWER: usize = 128;

type Reading = BoxFuture<'static, Option<(Answer, Memory)>>;

/// The wants of a connection's peer and the answers to them.
pub(crate) struct Serving {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    wants: Wantlist,
    reading: Option<Reading>,
    ready: Option<Outgoing>,
}

impl Serving {
    pub(crate) fn new(shared: Arc<Shared>, peer: Arc<Peer>) -> Self {
        let wants = Wantlist::new(shared.limits.wants_per_peer);
        Self { shared, peer, wants, reading: None, ready: None }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.wants.is_empty() && self.reading.is_none() && self.ready.is_none()
    }

    pub(crate) fn add(&mut self, wants: &[Want], full: bool) {
        self.change(|list, others, limit| {
            if full {
                list.clear();
            }
            list.set_limit(limit.saturating_sub(others));
            for want in wants {
                list.add(want);
            }
        });
    }

    pub(crate) fn cancel(&mut self, cid: &Cid) {
        self.change(|list, _, _| list.cancel(cid));
    }

    /// Forgets everything that was asked for.
    pub(crate) fn clear(&mut self) {
        self.change(|list, _, _| list.clear());
        self.reading = None;
        self.ready = None;
    }

    /// What was asked for, for another connection to the same peer.
    pub(crate) fn hand_over(&mut self) -> Vec<Want> {
        self.reading = None;
        self.ready = None;
        self.change(|list, _, _| list.hand_over())
    }

    /// Changes the list, and what the peer's other connections know of its length.
    fn change<T>(&mut self, change: impl FnOnce(&mut Wantlist, usize, usize) -> T) -> T {
        let before = self.wants.len();
        let others = self.peer.wants().saturating_sub(before);
        let outcome = change(&mut self.wants, others, self.shared.limits.wants_per_peer);
        self.peer.wants_changed(before, self.wants.len());
        outcome
    }

    /// Reads ahead while something is being written only where memory is plenty.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, is_writing: bool) {
        loop {
            if self.ready.is_some() {
                return;
            }
            if self.reading.is_none() && self.wants.has_waiting() && (!is_writing || self.shared.is_roomy()) {
                self.reading = Some(self.read());
            }
            let Some(reading) = &mut self.reading else { return };
            let Poll::Ready(outcome) = reading.poll_unpin(cx) else { return };
            self.reading = None;
            let Some((answer, memory)) = outcome else { return };
            self.not_answered(&answer.left);
            if answer.message.is_empty() {
                self.answered(&answer.answered);
            } else {
                let outgoing = Outgoing::new(answer.message, answer.start);
                self.ready = Some(outgoing.with_answers(answer.block_bytes, answer.answered, Some(memory)));
            }
        }
    }

    /// The answers to these have left.
    pub(crate) fn answered(&mut self, cids: &[Cid]) {
        self.change(|list, _, _| cids.iter().for_each(|cid| list.answered(cid)));
    }

    /// The answers to these have not left.
    pub(crate) fn not_answered(&mut self, cids: &[Cid]) {
        self.change(|list, _, _| cids.iter().for_each(|cid| list.put_back(cid)));
    }

    /// The next answer, once. Its wants count until it has left, so that they are handed over with the others.
    pub(crate) fn take_ready(&mut self) -> Option<Outgoing> {
        self.ready.take()
    }

    fn read(&mut self) -> Reading {
        let (shared, peer) = (Arc::clone(&self.shared), Arc::clone(&self.peer));
        let wants = self.wants.take(WANTS_PER_ANSWER);
        async move {
            let mut memory = Memory::reserve(&shared, &peer).await?;
            // The memory goes along, so that it is not given back while the store is still being read for a connection that has gone.
            let work = move || {
                let answer = answer(shared.blocks.as_ref(), &wants);
                memory.shrink(answer.message.capacity());
                (answer, memory)
            };
            tokio::task::spawn_blocking(work).await.ok()
        }
        .boxed()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.peer.wants_changed(self.wants.len(), 0);
    }
}
