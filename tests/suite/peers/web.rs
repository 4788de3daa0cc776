//! A small blocking HTTP client: what the suite asks servers itself.

use std::collections::BTreeMap;

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers by their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The header's value; empty when it isn't there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Panics with the body unless the status is that.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?}\n{}", self.headers, self.text());
        self
    }
}

/// Sends one request, follows no redirect, and reads the whole answer.
pub(crate) fn send(method: &str, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Answer, reqwest::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_mins(1))
            .build()?;
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = client.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await?;
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        Ok(Answer { status: answer.status().as_u16(), headers, body: answer.bytes().await?.to_vec() })
    })
}

/// Asks for a URL; an error is one of the connection.
pub(crate) fn try_get(url: &str) -> Result<Answer, reqwest::Error> {
    send("GET", url, &[], Vec::new())
}

/// Asks for a URL that must answer.
pub(crate) fn get(url: &str) -> Answer {
    try_get(url).unwrap_or_else(|error| panic!("GET {url}: {error:?}"))
}

/// Asks for a manifest that must answer, as clients do that know every kind of it.
pub(crate) fn get_manifest(url: &str) -> Answer {
    const ALL: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
        application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
    send("GET", url, &[("Accept", ALL)], Vec::new()).unwrap_or_else(|error| panic!("GET {url}: {error:?}"))
}

/// Asks a server for a path of another host name.
pub(crate) fn get_as(host: &str, url: &str) -> Answer {
    send("GET", url, &[("Host", host)], Vec::new()).unwrap_or_else(|error| panic!("GET {url}: {error:?}"))
}
