//! What the command line asks of the crypto block.
