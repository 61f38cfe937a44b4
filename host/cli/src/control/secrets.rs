//! What the command line asks of the secrets block.
