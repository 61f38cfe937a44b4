//! What the command line asks of the bindings block.
