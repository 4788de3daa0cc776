//! A static host inside the process, which can hang, fail, forget and look away.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::Notify;

use crate::error::{Error, Kind, Result};
use crate::hosts::{
    ByteStream, Condition, Content, CopyObjects, Host, HostStatus, Listed, Object, Openness, Page, Read, Stored, Tried,
    Uploads,
};
use crate::image::Digest;

/// What a call comes to.
pub(super) enum Answer {
    Go,
    Hang,
    Fail(&'static str),
}

type Intercept = Box<dyn FnMut(&str, &str) -> Answer + Send>;

#[derive(Default)]
pub(super) struct State {
    pub(super) objects: BTreeMap<String, (Bytes, String)>,
    /// Keys in the order in which they were stored or deleted, with what was done.
    pub(super) calls: Vec<(&'static str, String)>,
    pub(super) lists: usize,
    /// Objects that were read to see what they are.
    pub(super) reads: usize,
    stored: usize,
    pub(super) ignores_conditions: bool,
    intercept: Option<Intercept>,
}

/// The host.
#[derive(Default)]
pub(super) struct FakeHost {
    state: Mutex<State>,
    hung: Notify,
}

impl std::fmt::Debug for FakeHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeHost")
    }
}

impl FakeHost {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks before and after each call that changes something: `put`, `putted`, `delete`, `deleted`, `copy`, `copied`.
    pub(super) fn intercept(&self, intercept: impl FnMut(&str, &str) -> Answer + Send + 'static) {
        self.state().intercept = Some(Box::new(intercept));
    }

    pub(super) fn behave(&self) {
        self.state().intercept = None;
    }

    pub(super) async fn hung(&self) {
        self.hung.notified().await;
    }

    async fn pass(&self, what: &str, key: &str) -> Result<()> {
        let answer = match &mut self.state().intercept {
            Some(intercept) => intercept(what, key),
            None => Answer::Go,
        };
        match answer {
            Answer::Go => Ok(()),
            Answer::Fail(why) => Err(Error::new(Kind::Node, why)),
            Answer::Hang => {
                self.hung.notify_one();
                std::future::pending().await
            }
        }
    }

    /// Whoever asks for a tag gets all that it needs.
    pub(super) fn assert_pullable(&self) {
        let state = self.state();
        for (key, (bytes, _)) in &state.objects {
            let Some((repository, _)) = key.split_once("/manifests/") else { continue };
            let manifest: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            let needs = |kind: &str, digest: &serde_json::Value| {
                let key = format!("{repository}/{kind}/{}", digest.as_str().unwrap());
                assert!(state.objects.contains_key(&key), "{key} is not there, which a manifest needs");
            };
            if key.contains("/manifests/sha256:") {
                continue;
            }
            for child in manifest["manifests"].as_array().into_iter().flatten() {
                needs("manifests", &child["digest"]);
            }
            for layer in manifest["layers"].as_array().into_iter().flatten() {
                needs("blobs", &layer["digest"]);
            }
        }
    }
}

#[async_trait]
impl Host for FakeHost {
    fn place(&self) -> String {
        "the fake host".to_owned()
    }

    async fn status(&self) -> Result<HostStatus> {
        Ok(HostStatus { agent: "fake".to_owned(), url: "http://fake.invalid/".to_owned() })
    }

    async fn try_rights(&self) -> Vec<Tried> {
        Vec::new()
    }

    async fn list(&self, next: Option<&str>) -> Result<Page> {
        let mut state = self.state();
        state.lists += usize::from(next.is_none());
        let from = next.map_or(0, |next| next.parse().unwrap());
        let all = state.objects.iter().rev().skip(from).map(|(key, (bytes, tag))| Listed {
            key: key.clone(),
            size: bytes.len() as u64,
            tag: tag.clone(),
        });
        let objects: Vec<Listed> = all.take(3).collect();
        let is_last = from + objects.len() >= state.objects.len();
        Ok(Page { next: (!is_last).then(|| (from + objects.len()).to_string()), objects })
    }

    async fn read(&self, key: &str, _: u64) -> Result<Option<Read>> {
        let mut state = self.state();
        state.reads += 1;
        let found = state.objects.get(key).cloned();
        Ok(found.map(|(bytes, tag)| Read { bytes, tag, content_type: String::new() }))
    }

    async fn open(&self, key: &str) -> Result<Option<ByteStream>> {
        let found = self.state().objects.get(key).cloned();
        Ok(found.map(|(bytes, _)| futures::stream::iter([Ok(bytes)]).boxed()))
    }

    async fn put(
        &self,
        object: &Object,
        content: &dyn Content,
        condition: &Condition,
        uploads: &dyn Uploads,
    ) -> Result<Stored> {
        self.pass("put", &object.key).await?;
        let mut pieces = content.read(0, object.size).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece?);
        }
        assert_eq!(Digest::of(&bytes).as_bytes(), &object.sha256, "{}", object.key);
        let stored = {
            let mut state = self.state();
            let there = state.objects.get(&object.key).map(|(_, tag)| tag.clone());
            let holds = match condition {
                Condition::Always => true,
                Condition::Absent => there.is_none(),
                Condition::Tag(tag) => there.as_ref() == Some(tag),
            };
            if holds || state.ignores_conditions {
                state.stored += 1;
                let tag = format!("tag-{}", state.stored);
                state.calls.push(("put", object.key.clone()));
                state.objects.insert(object.key.clone(), (bytes.into(), tag.clone()));
                Stored::Now(tag)
            } else {
                Stored::Refused
            }
        };
        uploads.sent(object.size);
        self.pass("putted", &object.key).await?;
        Ok(stored)
    }

    async fn delete(&self, key: &str, tag: Option<&str>) -> Result<Stored> {
        self.pass("delete", key).await?;
        {
            let mut state = self.state();
            if let (Some((_, there)), Some(tag)) = (state.objects.get(key), tag)
                && there != tag
            {
                return Ok(Stored::Refused);
            }
            state.calls.push(("delete", key.to_owned()));
            state.objects.remove(key);
        }
        self.pass("deleted", key).await?;
        Ok(Stored::Now(String::new()))
    }

    fn copies(&self) -> Option<&dyn CopyObjects> {
        Some(self)
    }

    async fn openness(&self, _: &str) -> Openness {
        Openness { read: Some(true), list: false }
    }
}

#[async_trait]
impl CopyObjects for FakeHost {
    fn max_bytes(&self) -> u64 {
        1 << 30
    }

    async fn copy(&self, from: &str, object: &Object) -> Result<Stored> {
        self.pass("copy", &object.key).await?;
        let tag = {
            let mut state = self.state();
            let Some((bytes, _)) = state.objects.get(from).cloned() else { return Ok(Stored::Refused) };
            state.stored += 1;
            let tag = format!("tag-{}", state.stored);
            state.calls.push(("copy", object.key.clone()));
            state.objects.insert(object.key.clone(), (bytes, tag.clone()));
            tag
        };
        self.pass("copied", &object.key).await?;
        Ok(Stored::Now(tag))
    }
}
