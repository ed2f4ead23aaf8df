//! The thin binary: everything it does stands in `tessera::app::cli`.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tessera::app::cli::main()
}
