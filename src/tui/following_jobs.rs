//! Following on the engine: beginning, one look, stopping.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::work::Outcome;
use crate::engine::Engine;
use crate::engine::follow::report::came;
use crate::engine::follow::{Follower, Resolver, Setting};
use crate::engine::job::Job;
use crate::error::{Error, Kind, Result};
use crate::unixfs::Profile;

/// The follower of this interface: it remembers from one look to the next what its sources said.
#[derive(Debug, Clone, Default)]
pub(super) struct LastFollower(Arc<Mutex<Option<Arc<Follower>>>>);

/// Follows this from now on. What a new catalog would be made for, one that is there already has to fit.
pub(super) async fn begin(
    engine: &Arc<Engine>,
    setting: Setting,
    swarm_peers: &[String],
    job: &Job,
) -> Result<Outcome> {
    engine.swarm().begin_again_with(swarm_peers)?;
    if engine.following()?.is_none() {
        let root = job.or_cancelled(Follower::first_root(&setting, Arc::new(Resolver), engine.swarm())).await?;
        let needed = if root.version() == cid::Version::V0 { Profile::V0_2015 } else { Profile::V1_2025 };
        let profile = engine.settings()?.profile;
        if profile != needed {
            return Err(Error::new(
                Kind::Usage,
                format!("the catalog has the profile {profile}, but {} was published with {needed}", setting.name),
            )
            .hint(
                "Leave, and begin with `roadstead follow` in a new data directory: it takes the profile that fits.",
            ));
        }
    }
    engine.follow(&setting, job).await?;
    Ok(Outcome::Following(setting.name.to_string()))
}

/// Looks at the name once, and takes what it means.
pub(super) async fn look(engine: &Arc<Engine>, last: &LastFollower, job: &Job) -> Result<Outcome> {
    let follower = {
        let mut last = last.0.lock().await;
        let setting = engine.following()?.map(|following| following.setting);
        match &*last {
            Some(follower) if setting.as_ref() == Some(follower.setting()) => Arc::clone(follower),
            _ => {
                let follower = Arc::new(Follower::open(Arc::clone(engine), Arc::new(Resolver))?);
                Arc::clone(last.insert(follower))
            }
        }
    };
    let look = follower.look(job).await?;
    Ok(Outcome::NameLookedAt { came: came(&look), notes: look.notes })
}

/// Follows nothing any more.
pub(super) async fn stop(engine: &Arc<Engine>, job: &Job) -> Result<Outcome> {
    let stopped = engine.stop_following(job).await?;
    Ok(Outcome::FollowingStopped(stopped.map(|stopped| stopped.setting.name.to_string())))
}
