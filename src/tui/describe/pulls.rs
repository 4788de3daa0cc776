//! What a plan takes of the quotas of registries, in words.

use std::collections::BTreeMap;

use super::super::work::Plan;
use super::{Role, Row, row};
use crate::text::count;

/// How much checking used of each registry's quota, and how much it says is left: of how many, by registry. A registry that
/// says nothing has said nothing of a quota, which is not the same as that it has none; of one that took nothing either,
/// there is nothing to say.
pub fn pulls(plan: &Plan, quotas: &BTreeMap<String, (u64, u64)>) -> Vec<Row> {
    let plan = match plan {
        Plan::Add(plan) | Plan::Update(plan) => plan,
        Plan::Rules(run) => &run.plan.add,
        _ => return Vec::new(),
    };
    let of = |(registry, taken): (&String, &u64)| {
        let taken = match taken {
            0 if !quotas.contains_key(registry) => return None,
            0 => "checking used no pulls".to_owned(),
            taken => format!("checking used {}", count(*taken, "pull", "pulls")),
        };
        Some(match quotas.get(registry) {
            Some((left, of)) => {
                let role = if left * 10 < *of { Role::Warning } else { Role::Dim };
                row(role, format!("{registry}: {taken}, {left} of {of} left; fetching layers uses none."))
            }
            None => row(Role::Dim, format!("{registry}: {taken}; the registry hasn't said how many are left.")),
        })
    };
    plan.pulls.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::plan::AddPlan;

    #[test]
    fn what_is_not_known_is_not_said() {
        let pulls = BTreeMap::from([("docker.io".to_owned(), 3), ("ghcr.io".to_owned(), 1), ("quay.io".to_owned(), 0)]);
        let plan = Plan::Add(AddPlan { pulls, ..AddPlan::default() });
        let quotas = BTreeMap::from([("docker.io".to_owned(), (7, 100)), ("other.example".to_owned(), (1, 2))]);
        let rows = super::pulls(&plan, &quotas);
        assert_eq!(
            rows,
            [
                (
                    Role::Warning,
                    "docker.io: checking used 3 pulls, 7 of 100 left; fetching layers uses none.".to_owned()
                ),
                (Role::Dim, "ghcr.io: checking used 1 pull; the registry hasn't said how many are left.".to_owned()),
            ]
        );
        assert_eq!(super::pulls(&Plan::Verify { repair: true }, &quotas), []);
    }
}
