//! Rows of the directive table: TLS, which this server does not speak yet. Read by `schema`; pure data.
use super::*;

pub(super) static ROWS: &[Directive] = &[
    number("tls-port", 0, 65535, "0", "TLS port").accepted(),
    optional_text("tls-cert-file", "certificate").accepted(),
    optional_text("tls-key-file", "private key").accepted(),
    optional_text("tls-key-file-pass", "password of the key").accepted(),
    optional_text("tls-client-cert-file", "certificate of outgoing links").accepted(),
    optional_text("tls-client-key-file", "private key of outgoing links").accepted(),
    optional_text("tls-client-key-file-pass", "password of that key").accepted(),
    optional_text("tls-dh-params-file", "DH parameters").accepted(),
    optional_text("tls-ca-cert-file", "trusted certificates").accepted(),
    optional_text("tls-ca-cert-dir", "directory of trusted certificates").accepted(),
    choice(
        "tls-auth-clients",
        &[("no", 0), ("yes", 1), ("optional", 2)],
        "yes",
        "whether clients need a certificate",
    )
    .accepted(),
    yes_no("tls-replication", false, "TLS to the primary").accepted(),
    yes_no("tls-cluster", false, "TLS on the bus").accepted(),
    optional_text("tls-protocols", "protocol versions").accepted(),
    optional_text("tls-ciphers", "ciphers up to TLS 1.2").accepted(),
    optional_text("tls-ciphersuites", "ciphers of TLS 1.3").accepted(),
    yes_no("tls-prefer-server-ciphers", false, "the server's order of ciphers").accepted(),
    yes_no("tls-session-caching", true, "cache sessions").accepted(),
    number("tls-session-cache-size", 0, I32, "20480", "sessions cached").accepted(),
    number("tls-session-cache-timeout", 0, I32, "300", "seconds a session is cached").accepted(),
];
