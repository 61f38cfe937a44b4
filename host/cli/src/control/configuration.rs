//! What the command line asks of the configuration block.
