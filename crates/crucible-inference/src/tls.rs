//! How this crate speaks HTTPS: rustls with ring, and the certificates that the system trusts.

use std::sync::Arc;

use reqwest::ClientBuilder;
use rustls_platform_verifier::BuilderVerifierExt as _;

/// Starts an HTTP client with the TLS that this crate uses.
///
/// The cryptography is handed in, not installed for the whole process: a library leaves that
/// choice to its program.
///
/// # Errors
/// When the certificates that the system trusts cannot be read.
pub(crate) fn client() -> Result<ClientBuilder, rustls::Error> {
    let cryptography = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(cryptography)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    Ok(reqwest::Client::builder().tls_backend_preconfigured(tls))
}

/// Starts an HTTP client for plain HTTP, which needs no certificates: a machine that has none can
/// still reach what runs on it. It trusts nobody's HTTPS.
///
/// # Errors
/// When the cryptography knows no version of TLS.
pub(crate) fn without_certificates() -> Result<ClientBuilder, rustls::Error> {
    let cryptography = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(cryptography)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(reqwest::Client::builder().tls_backend_preconfigured(tls))
}
