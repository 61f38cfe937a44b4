//! The arguments of `wythe crypto`.

use super::Project;
use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;

/// Encrypt, decrypt, sign and verify with the keys of a component
#[derive(clap::Args)]
pub struct Crypto {
    #[command(flatten)]
    pub project: Project,
    /// The app whose scopes apply
    #[arg(long, global = true, default_value = "operator")]
    pub app: String,
    #[command(subcommand)]
    pub verb: CryptoVerb,
}

#[derive(Clone, Subcommand)]
pub enum CryptoVerb {
    /// Print the names of the keys in order, each with what it is good for
    Keys { component: String },
    /// Print the public half of a key as a JWK
    Public { component: String, key: String },
    /// Encrypt standard input, at most 64 MiB, into a message of Dapr's encryption scheme
    Encrypt {
        component: String,
        key: String,
        #[arg(long, value_enum, default_value = "aes-gcm")]
        cipher: Cipher,
        #[command(flatten)]
        files: Files,
    },
    /// Decrypt a message from standard input, by the key that it names where none is given
    Decrypt {
        component: String,
        key: Option<String>,
        #[command(flatten)]
        files: Files,
    },
    /// Sign standard input and print the signature in base64
    Sign {
        component: String,
        key: String,
        /// The algorithm, such as es256, eddsa, ps256, rs256
        algorithm: String,
        /// A file in place of standard input
        #[arg(long = "in", value_name = "FILE")]
        input: Option<PathBuf>,
    },
    /// Check a signature of standard input; exit status 1 if it is not the key's
    Verify {
        component: String,
        key: String,
        /// The algorithm, such as es256, eddsa, ps256, rs256
        algorithm: String,
        /// The signature in base64
        signature: String,
        /// A file in place of standard input
        #[arg(long = "in", value_name = "FILE")]
        input: Option<PathBuf>,
    },
}

#[derive(Clone, clap::Args)]
pub struct Files {
    /// A file in place of standard input
    #[arg(long = "in", value_name = "FILE")]
    pub source: Option<PathBuf>,
    /// A file in place of standard output
    #[arg(long = "out", value_name = "FILE")]
    pub target: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Cipher {
    AesGcm,
    #[value(name = "chacha20-poly1305")]
    ChaCha20Poly1305,
}
