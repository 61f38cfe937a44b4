//! The command `wythe`.

/// The allocator of all threads: what one allocates another frees here, and glibc's is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    wythe::main()
}
