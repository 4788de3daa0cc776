//! What a bucket's refusals mean, in words, and what to do about them (AWS S3 API Reference, "Error responses").
//!
//! Knows codes and statuses. Must not connect to anything.

use super::documents::Refusal;
use crate::error::{Error, Kind};
use crate::text::printable_within;

/// From how many seconds on a clock is worth a word: signatures are refused when it is off by 15 minutes.
const MIN_TOLD_CLOCK_DIFFERENCE: i64 = 300;
/// What to do about a clock that is wrong.
const SET_CLOCK: &str = "Set the clock that is wrong; on this machine: `timedatectl set-ntp true`.";
/// Characters of a host's message that a person sees.
const MAX_MESSAGE_CHARS: usize = 300;

/// The error for people; `clock` is how many seconds the host's clock is ahead of ours, if it said so.
pub(super) fn error(place: &str, doing: &str, status: u16, refusal: &Refusal, clock: Option<i64>) -> Error {
    let code = printable_within(&refusal.code, 80);
    let why = |kind: Kind, why: &str| Error::new(kind, format!("{doing}: {why}"));
    let off = clock.filter(|clock| clock.abs() >= MIN_TOLD_CLOCK_DIFFERENCE);
    if let Some(off) = off
        && (status == 403 || refusal.code == "RequestTimeTooSkewed")
    {
        let direction = if off > 0 { "behind" } else { "ahead of" };
        return why(
            Kind::Auth,
            &format!(
                "this machine's clock is {} min {direction} the clock of {place}, so that signatures are invalid",
                (off.abs() + 30) / 60
            ),
        )
        .hint(SET_CLOCK);
    }
    match (refusal.code.as_str(), status) {
        ("RequestTimeTooSkewed", _) => {
            why(Kind::Auth, "this machine's clock differs too much from the host's, so that signatures are invalid")
                .hint(SET_CLOCK)
        }
        ("NoSuchBucket", _) => why(Kind::NotFound, &format!("{place} does not exist"))
            .hint("Create the bucket, or check its name, region and endpoint."),
        ("InvalidAccessKeyId" | "XAdminUserNotFound", _) => why(Kind::Auth, "the host does not know the access key")
            .hint("`roadstead target test` says where the credentials are from."),
        ("SignatureDoesNotMatch", _) => why(Kind::Auth, "the secret access key or the region is wrong")
            .hint("Check both: `--region` sets the region, `--auth-file` the credentials."),
        ("ExpiredToken" | "TokenRefreshRequired", _) => {
            why(Kind::Auth, "the session of these credentials has ended").hint("Get new ones, then run this again.")
        }
        ("AuthorizationHeaderMalformed" | "PermanentRedirect" | "AuthorizationQueryParametersError", _)
            if refusal.region.is_some() =>
        {
            let region = printable_within(refusal.region.as_deref().unwrap_or_default(), 60);
            why(Kind::Usage, &format!("the bucket is in the region {region}"))
                .hint(format!("`roadstead target set NAME --region {region}` sets it."))
        }
        ("PermanentRedirect" | "TemporaryRedirect", _) | (_, 301 | 302 | 307 | 308) => {
            why(Kind::Usage, "the bucket is in another region or at another endpoint")
                .hint("Set them with `--region` and `--endpoint`.")
        }
        ("EntityTooLarge", _) | (_, 413) => why(Kind::Node, "the host takes no object of this size")
            .hint("A proxy before it may have a lower limit than the host itself."),
        (
            "QuotaExceeded" | "XMinioStorageFull" | "StorageFull" | "InsufficientCapacity" | "ServiceQuotaExceeded",
            _,
        )
        | (_, 507) => why(Kind::Node, &format!("{place} is full"))
            .hint("What was stored stays. Make room, then publish again: that goes on from here."),
        ("SlowDown" | "ServiceUnavailable" | "TooManyRequests" | "RequestLimitExceeded", _) | (_, 429 | 503) => {
            why(Kind::Node, "the host has too much to do").hint("Publish again later: that goes on from here.")
        }
        ("BadDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch" | "InvalidDigest", _) => {
            why(Kind::Verification, "the bytes that arrived are others than those that were sent")
                .hint("Publish again. If it stays so, look at what is between here and the host.")
        }
        ("NoSuchUpload", _) => {
            why(Kind::Node, "the host no longer has the upload").hint("Publish again: that begins it anew.")
        }
        (_, 401 | 403) => {
            let code = if code.is_empty() { String::new() } else { format!(" ({code})") };
            why(Kind::Auth, &format!("the host does not allow it{code}")).hint(
                "Publishing needs s3:PutObject, s3:GetObject, s3:DeleteObject, s3:ListBucket, s3:AbortMultipartUpload and \
                 s3:ListMultipartUploadParts.",
            )
        }
        _ => {
            let message = printable_within(&refusal.message, MAX_MESSAGE_CHARS);
            let told = [code, message].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(": ");
            let told = if told.is_empty() { String::new() } else { format!(" ({told})") };
            why(Kind::Node, &format!("the host answers {status}{told}"))
        }
    }
}

/// Whether the host has no such key: 403 is no answer to that.
pub(super) fn is_missing(status: u16) -> bool {
    status == 404
}

/// Whether what was asked for is not there because the condition did not hold (RFC 9110, section 15.5.13).
pub(super) fn is_unmet(status: u16, conditional: bool) -> bool {
    status == 412 || conditional && status == 404
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, code: &str, clock: Option<i64>) -> Error {
        let refusal = Refusal { code: code.into(), message: "secret\u{1b}[31m".into(), region: None };
        error("s3://registry", "can't store v2/", status, &refusal, clock)
    }

    #[test]
    fn each_refusal_is_said_in_words() {
        for (status, code, clock, kind, words) in [
            (404, "NoSuchBucket", None, Kind::NotFound, "s3://registry does not exist"),
            (403, "SignatureDoesNotMatch", Some(3), Kind::Auth, "secret access key or the region"),
            (403, "AccessDenied", Some(-7200), Kind::Auth, "clock is 120 min ahead of the clock of s3://registry"),
            (403, "RequestTimeTooSkewed", Some(1000), Kind::Auth, "clock is 17 min behind"),
            (403, "RequestTimeTooSkewed", None, Kind::Auth, "clock differs"),
            (403, "AccessDenied", None, Kind::Auth, "does not allow it (AccessDenied)"),
            (507, "", None, Kind::Node, "is full"),
            (503, "SlowDown", None, Kind::Node, "too much to do"),
            (400, "BadDigest", None, Kind::Verification, "are others"),
            (418, "Teapot", None, Kind::Node, "answers 418 (Teapot: secret\\u{1b}[31m)"),
            (301, "", None, Kind::Usage, "another region"),
        ] {
            let error = said(status, code, clock);
            assert_eq!(error.kind(), kind, "{status} {code}: {error}");
            assert!(error.to_string().starts_with("can't store v2/: ") && error.to_string().contains(words), "{error}");
        }
        let refusal =
            Refusal { code: "PermanentRedirect".into(), region: Some("eu-west-1".into()), ..Refusal::default() };
        let error = error("s3://registry", "can't list", 301, &refusal, None);
        assert!(error.hints()[0].contains("--region eu-west-1"), "{error:?}");
    }
}
