//! What the command line asks of the lock block.
