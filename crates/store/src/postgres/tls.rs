//! TLS to the database server, on the primitives that everything else here uses.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use crate::error::Error;
use crate::postgres::address::{Encryption, Server};

/// How connections to this server are made secret.
pub(super) fn connector(server: &Server) -> Result<MakeRustlsConnect, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?;
    let config = match server.encryption {
        // As PostgreSQL's own library does it: with authorities of one's own, `require` is `verify-ca`.
        Encryption::Require if server.root_certificates.is_some() => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Checker::any_name(server, &provider)?)),
        Encryption::Disable | Encryption::Prefer | Encryption::Require => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Checker::anybody(&provider))),
        Encryption::VerifyCa => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Checker::any_name(server, &provider)?)),
        Encryption::VerifyFull => builder.with_root_certificates(roots(server)?),
    };
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

fn roots(server: &Server) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    match &server.root_certificates {
        Some(file) => {
            for certificate in read(file)? {
                roots.add(certificate).map_err(Error::internal)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() && server.root_certificates.is_none() {
        // A container without any.
        roots.add_parsable_certificates(TLS_SERVER_ROOT_CERTS.iter().cloned());
    }
    if roots.is_empty() {
        return Err(Error::Address(
            "the file that sslrootcert names holds no certificate (-----BEGIN CERTIFICATE-----)",
        ));
    }
    Ok(roots)
}

fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unreadable = |_| {
        Error::Address(
            "the file that sslrootcert in the database address names cannot be read as certificates (PEM)",
        )
    };
    CertificateDer::pem_file_iter(file)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)
}

/// Checks less than rustls does by itself, because the operator chose so.
#[derive(Debug)]
struct Checker {
    /// None: whoever answers is believed.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl Checker {
    fn anybody(provider: &Arc<CryptoProvider>) -> Self {
        Self {
            authorities: None,
            provider: Arc::clone(provider),
        }
    }

    fn any_name(server: &Server, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let roots = Arc::new(roots(server)?);
        let authorities =
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider)).build();
        Ok(Self {
            authorities: Some(authorities.map_err(Error::internal)?),
            provider: Arc::clone(provider),
        })
    }
}

impl ServerCertVerifier for Checker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(authorities) = &self.authorities else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified = authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            // The name is looked at last.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
