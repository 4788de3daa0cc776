//! The newest record of a name that anybody has, whatever it points to and however old it is: what is signed next has to follow it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use super::sources::Sources;
use crate::catalog::targets;
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::ipns::{Name, Record};
use crate::node::source::{NameAnswer, NameRecords};

/// How long a source may take to answer; the swarm is begun within it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);

/// What was said of the sequence of a name.
#[derive(Debug)]
pub struct NewestSequence {
    /// The highest sequence number of a record that is signed for the name.
    pub sequence: Option<u64>,
    /// How many of those who were asked answered, whether they have a record or not.
    pub answered: usize,
    /// Why others did not, or were not believed.
    pub failures: Vec<Error>,
}

impl Engine {
    /// Asks for the newest record of a name: these sources; without any, the gateways that targets name, and the swarm.
    ///
    /// Fails with `Usage` for what is neither a URL nor a multiaddr. That nobody answers is no error.
    pub async fn newest_sequence(self: &Arc<Self>, name: &Name, from: &[String]) -> Result<NewestSequence> {
        let mut records = Vec::new();
        if from.is_empty() {
            let targets = self.blocking(|engine| targets::all(&*engine.catalog.read()?)).await?;
            let mut gateways: Vec<String> = targets.into_iter().flat_map(|target| target.settings.gateways).collect();
            gateways.sort();
            gateways.dedup();
            if !gateways.is_empty() {
                records.extend(Sources::parse(&gateways)?.records(self.swarm())?);
            }
            records.extend(Sources::default().records(self.swarm())?);
        } else {
            records.extend(Sources::parse(from)?.records(self.swarm())?);
        }
        Ok(newest(&records, name).await)
    }
}

async fn newest(records: &[Arc<dyn NameRecords>], name: &Name) -> NewestSequence {
    let answers = join_all(records.iter().map(|source| timeout(ANSWER_TIMEOUT, source.record(name)))).await;
    let mut found = NewestSequence { sequence: None, answered: 0, failures: Vec::new() };
    for (source, answer) in records.iter().zip(answers) {
        let place = source.place();
        let answer = answer.unwrap_or_else(|_| {
            let seconds = ANSWER_TIMEOUT.as_secs();
            Err(Error::new(Kind::Network, format!("{place} did not answer within {seconds} s")))
        });
        match answer {
            Ok(NameAnswer::Record(bytes)) => match Record::verify(&bytes, name) {
                Ok(record) => {
                    found.answered += 1;
                    found.sequence = found.sequence.max(Some(record.sequence));
                }
                Err(error) => found.failures.push(error.context(place)),
            },
            Ok(NameAnswer::Unchanged | NameAnswer::Unknown) => found.answered += 1,
            Err(error) => found.failures.push(error),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::ipns::PrivateKey;

    /// Answers the same to everybody.
    #[derive(Debug)]
    struct Says(Result<NameAnswer, Kind>);

    #[async_trait]
    impl NameRecords for Says {
        fn place(&self) -> String {
            "somebody".to_owned()
        }

        async fn record(&self, _: &Name) -> Result<NameAnswer> {
            self.0.clone().map_err(|kind| Error::new(kind, "it could not be asked"))
        }
    }

    fn record(key: &PrivateKey, sequence: u64, hours: i64) -> NameAnswer {
        let root = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354".parse().unwrap();
        let until = Timestamp::now() + SignedDuration::from_hours(hours);
        let record = Record::of_root(&root, sequence, until, Duration::from_mins(1));
        NameAnswer::Record(record.sign(key).unwrap().into())
    }

    #[tokio::test]
    async fn the_highest_sequence_counts_also_of_a_record_that_has_expired() {
        let (key, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
        let says = |answers: Vec<Result<NameAnswer, Kind>>| -> Vec<Arc<dyn NameRecords>> {
            answers.into_iter().map(|answer| Arc::new(Says(answer)) as Arc<dyn NameRecords>).collect()
        };
        let all = says(vec![
            Ok(record(&key, 7, 1)),
            Ok(record(&key, 9, -1)),
            Ok(record(&other, 99, 1)),
            Ok(NameAnswer::Unknown),
            Err(Kind::Network),
        ]);
        let found = newest(&all, &key.name()).await;
        assert_eq!((found.sequence, found.answered, found.failures.len()), (Some(9), 3, 2));
        let none = newest(&says(vec![Err(Kind::Network)]), &key.name()).await;
        assert_eq!((none.sequence, none.answered, none.failures.len()), (None, 0, 1));
    }
}
