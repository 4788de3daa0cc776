//! Every future that the engine gives out may be moved from thread to thread: a face may spawn it.

use cid::Cid;

use super::*;
use crate::catalog::targets::Target;
use crate::engine::change::undo::UndoPlan;
use crate::engine::plan::{AllowPlan, GcPlan, RemovePlan};
use crate::engine::publish::Places;
use crate::engine::publish::plan::{PublishPlan, PublishRequest};
use crate::engine::query::history::ForgetPlan;
use crate::engine::query::pending::Arrival;
use crate::engine::restore::{Place, Purpose, Records, ReturnPlan, root_of};
use crate::engine::rules::RunOptions;
use crate::engine::rules::plan::RulePlan;
use crate::engine::targets::{RemoveTargetPlan, Variables, World, make_key};
use crate::image::Reference;
use crate::rules::{Lock, Rules};

fn send<T: Send>(_: T) {}

/// Nothing of it is run: it compiles, or it does not.
#[expect(dead_code, clippy::too_many_arguments, reason = "it is read by the compiler alone")]
fn futures_may_be_sent(
    engine: &Arc<Engine>,
    job: &Job,
    picks: &[Pick],
    places: &dyn Places,
    world: &dyn World,
    variables: &Variables,
    target: &Target,
    place: &Place,
    records: &Records,
    arrival: &mut Arrival,
    reference: &Reference,
    (add, remove, undo, gc, allow): (AddPlan, &RemovePlan, &UndoPlan, &GcPlan, &AllowPlan),
    (publish, request, forget): (&PublishPlan, &PublishRequest, &ForgetPlan),
    (returning, remove_target): (&ReturnPlan, &RemoveTargetPlan),
    (rules, options, lock, rule_plan): (&Rules, &RunOptions, &Lock, &mut RulePlan),
) {
    send(engine.plan_add(&[], job));
    send(engine.plan_update(picks, job));
    send(engine.apply_add(add, "add", job));
    send(engine.outdated(picks, job));
    send(engine.upstream_tags(reference, None));
    send(engine.plan_rules(rules, options, job));
    send(engine.plan_locked(lock, job));
    send(engine.apply_rules(rules, rule_plan, job));
    send(engine.plan_update_beside_rules(job));
    send(engine.outdated_beside_rules(job));
    send(engine.all_tags(&reference.upstream, None, job));
    send(engine.tag_list(&reference.upstream, None, job));
    send(engine.tell_start(rules, std::path::PathBuf::new()));
    if let Some(in_force) = &options.trust {
        send(engine.tell_hooks(in_force));
    }
    send(engine.apply_remove(remove, job));
    send(engine.apply_undo(undo, job));
    send(engine.apply_gc(gc, job));
    send(engine.allow(picks, true, job));
    send(engine.apply_allow(allow, job));
    send(engine.configure(None, None, job));
    send(engine.set_site_version(1, job));
    send(engine.verify(true, job));
    send(engine.plan_publish(request, places, job));
    send(engine.apply_publish(publish, places, job));
    send(engine.apply_forget(forget, job));
    send(engine.test_target("", places, world, variables, job));
    send(engine.look_at_target("", places, world));
    send(engine.verify_target("", places, job));
    send(engine.remove_target(remove_target, job));
    send(make_key(target, places, job));
    send(engine.plan_return(records, Purpose::Restore, job));
    send(engine.apply_return(returning, None, job));
    send(place.records(None::<Cid>, None, job));
    send(root_of("", place));
    send(engine.export_directory(Path::new(""), ExportOptions::default(), job));
    send(arrival.begun());
}
