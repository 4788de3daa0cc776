//! Private repositories: named when they are left out, and said once that there is no way back.

use super::*;
use crate::engine::tests::consent::switched;
use crate::engine::tests::index;

#[tokio::test]
async fn private_repositories_are_named_and_said_once() {
    let (test, _) = switched("secret").await;
    let mut places = TestPlaces::default();
    let (node, _) = places.add(&test.engine, "home", 2);
    test.put("open", "1", &index("one"));
    test.put("secret", "1", &index("two"));
    test.add(&["open:1", "secret:1"]).await;
    let secret = test.published("secret");
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    assert_eq!((&plan.left_out[..], plan.first_time_private.len()), ([secret.clone()].as_slice(), 0));
    apply(&test.engine, &places, &plan).await.unwrap();
    let public = node.state().blocks.len();
    // Even when there is nothing to do it is named.
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    assert!(plan.is_done() && plan.left_out == [secret.clone()]);

    test.engine.allow(&[test.pick("secret")], true, &Job::new().0).await.unwrap();
    for _ in 0..2 {
        let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
        assert_eq!(plan.first_time_private, std::slice::from_ref(&secret), "a plan that is not run is no consent");
    }
    publish(&test.engine, &places).await;
    assert!(node.state().blocks.len() > public);
    test.put("secret", "2", &index("three"));
    test.add(&["secret:2"]).await;
    let plan = plan_of(&test.engine, &places, &PublishRequest::default()).await.unwrap();
    assert!(plan.first_time_private.is_empty() && plan.left_out.is_empty());
    assert_eq!(plan.targets[0].changes.len(), 1);
}
