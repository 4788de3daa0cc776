//! The server's certificate and key, from PEM files, read again when they change.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection};

use super::watched::{Fallback, Watched};
use crate::error::{Error, Kind, Result};

/// Bytes of an answer that wait encrypted for a client to take them: one record.
const MAX_UNSENT: usize = 16 * 1024;

/// The certificate and the key, as their files have them.
pub(super) struct Certificates(Watched<ServerConfig>);

impl Certificates {
    /// Reads both; refuses what can't be used. Clients may choose from these protocols (ALPN), the first that they know.
    pub(super) fn load(certificate: &Path, key: &Path, protocols: &'static [&'static [u8]]) -> Result<Self> {
        let files = vec![certificate.to_owned(), key.to_owned()];
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        // Half of a renewal, or a mistake in one, must not end what still works.
        Watched::load("the certificate", files, Fallback::Former, move || config(&certificate, &key, protocols))
            .map(Self)
    }

    /// Encrypts with the newest that can be used.
    pub(super) async fn acceptor(&self) -> Option<TlsAcceptor> {
        self.0.get().await.map(TlsAcceptor::from)
    }

    /// Reads both again at the next connection.
    pub(super) fn read_again(&self) {
        self.0.read_again();
    }
}

/// Bounds what is encrypted before the client has taken what was encrypted before it.
pub(super) fn bound(connection: &mut ServerConnection) {
    connection.set_buffer_limit(Some(MAX_UNSENT));
}

/// Reads a certificate chain, the server's own first, and its key.
fn config(certificate: &Path, key: &Path, protocols: &[&[u8]]) -> Result<ServerConfig> {
    let refuse = |path: &Path, why: &str| Error::new(Kind::Usage, format!("{}: {why}", path.display()));
    let unreadable = |path: &Path, error: pem::Error| match error {
        pem::Error::NoItemsFound => refuse(path, "there is no such section in it"),
        error => refuse(path, "can't be read as PEM").caused_by(error),
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(certificate, error))?;
    if chain.is_empty() {
        return Err(refuse(certificate, "there is no certificate in it")
            .hint("It must contain the server's certificate and its intermediates, as PEM."));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
        pem::Error::NoItemsFound => refuse(key, "there is no private key in it that could be used")
            .hint("It must be PEM and without a passphrase; `openssl pkey -in KEY -out PLAIN` removes one."),
        error => unreadable(key, error),
    })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Kind::Unexpected, "can't set up TLS").caused_by(error))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| refuse(certificate, &format!("does not match the key {}", key.display())).caused_by(error))?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}
