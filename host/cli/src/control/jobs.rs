//! What the command line asks of the jobs block.
