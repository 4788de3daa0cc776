//! Private repositories: named when they are left out, and said once that there is no way back.

use super::*;
use crate::engine::tests::consent::switched;
use crate::engine::tests::index;

#[tokio::test]
async fn private_repositories_are_named_and_said_once() {
    let (yard, _) = switched("secret").await;
    let mut quay = Quay::default();
    let (node, _) = quay.add(&yard.engine, "home", 2);
    yard.put("open", "1", &index("one"));
    yard.put("secret", "1", &index("two"));
    yard.add(&["open:1", "secret:1"]).await;
    let secret = yard.published("secret");
    let plan = plan_of(&yard.engine, &quay, &PublishRequest::default()).await.unwrap();
    assert_eq!((&plan.left_out[..], plan.first_time_private.len()), ([secret.clone()].as_slice(), 0));
    apply(&yard.engine, &quay, &plan).await.unwrap();
    let public = node.state().blocks.len();
    // Even when there is nothing to do it is named.
    let plan = plan_of(&yard.engine, &quay, &PublishRequest::default()).await.unwrap();
    assert!(plan.is_done() && plan.left_out == [secret.clone()]);

    yard.engine.allow(&[yard.pick("secret")], true, &Job::new().0).await.unwrap();
    for _ in 0..2 {
        let plan = plan_of(&yard.engine, &quay, &PublishRequest::default()).await.unwrap();
        assert_eq!(plan.first_time_private, std::slice::from_ref(&secret), "a plan that is not run is no consent");
    }
    publish(&yard.engine, &quay).await;
    assert!(node.state().blocks.len() > public);
    yard.put("secret", "2", &index("three"));
    yard.add(&["secret:2"]).await;
    let plan = plan_of(&yard.engine, &quay, &PublishRequest::default()).await.unwrap();
    assert!(plan.first_time_private.is_empty() && plan.left_out.is_empty());
    assert_eq!(plan.targets[0].changes.len(), 1);
}
