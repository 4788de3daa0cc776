//! Trust in certificates from a file, beside the system's authorities.
//!
//! Knows rustls. A server certificate that is itself in the file is trusted for its names while it is valid, even if it calls
//! itself an authority, as `openssl req -x509` makes them: curl, podman and skopeo do so, WebPKI alone does not.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::error::{Error, Kind, Result};

/// Largest file of certificates that is read.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The certificates of a PEM file.
#[derive(Debug, Clone, Default)]
pub(super) struct Authorities {
    pem: Vec<Vec<u8>>,
}

impl Authorities {
    pub(super) fn read(path: &Path) -> Result<Self> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        const END: &str = "-----END CERTIFICATE-----";
        let refuse = |why: String| {
            Error::new(Kind::Usage, format!("ca_file {}: {why}", path.display()))
                .hint("It must hold certificates in PEM form (`-----BEGIN CERTIFICATE-----`).")
        };
        let bytes = crate::input::read_regular(path, MAX_FILE_BYTES).map_err(|error| refuse(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|error| refuse(error.to_string()))?;
        let mut pem = Vec::new();
        let mut rest = text.as_str();
        while let Some(begin) = rest.find(BEGIN) {
            let Some(length) = rest[begin..].find(END) else { break };
            let end = begin + length + END.len();
            pem.push(format!("{}\n", &rest[begin..end]).into_bytes());
            rest = &rest[end..];
        }
        if pem.is_empty() {
            return Err(refuse("there is no certificate in it".to_owned()));
        }
        Ok(Self { pem })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pem.is_empty()
    }

    /// TLS that trusts these certificates and the system's.
    pub(super) fn client_config(&self) -> Result<ClientConfig> {
        let refuse = |why: String| Error::new(Kind::Usage, format!("a certificate in `ca_file` can't be used: {why}"));
        let own: Vec<CertificateDer<'static>> = self
            .pem
            .iter()
            .map(|pem| CertificateDer::from_pem_slice(pem).map_err(|error| refuse(error.to_string())))
            .collect::<Result<_>>()?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let inner =
            Verifier::new_with_extra_roots(own.clone(), provider.clone()).map_err(|error| refuse(error.to_string()))?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new(Kind::Unexpected, "can't set up TLS").caused_by(error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Trust { inner, own }))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

#[derive(Debug)]
struct Trust {
    inner: Verifier,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let verified = self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // WebPKI looks at the dates before it objects to this, and at the name after.
            Err(TlsError::InvalidCertificate(CertificateError::Other(why)))
                if format!("{why:?}").contains("CaUsedAsEndEntity") && self.own.contains(end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
