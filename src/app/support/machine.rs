//! **The question:** what is this program, and on what machine does it run? Of the machine what its kind tells, and
//! nothing that names it.

use std::fmt::Write as _;
use std::fs;

use crate::base::media::Codec;
use crate::engine::encode;

/// The program: its version, and what it was built with.
#[must_use]
pub fn program() -> String {
    let features = [
        ("gpu", cfg!(feature = "gpu")),
        ("rav1e", cfg!(feature = "rav1e")),
        ("h264", cfg!(feature = "h264")),
        ("vpx", cfg!(feature = "vpx")),
        ("dav1d", cfg!(feature = "dav1d")),
        ("rav1d", cfg!(feature = "rav1d")),
        ("fleet", cfg!(feature = "fleet")),
    ];
    let with: Vec<&str> = features.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect();
    let encodes = [Codec::Av1, Codec::H264, Codec::Vp8].into_iter().filter(|codec| encode::encodes(*codec));
    let encodes: Vec<&str> = encodes.map(Codec::name).collect();
    format!(
        "version {}\nfeatures {}\nencodes {}\nbuilt for {} on {}\n",
        env!("CARGO_PKG_VERSION"),
        with.join(" "),
        encodes.join(" "),
        std::env::consts::ARCH,
        std::env::consts::OS,
    )
}

/// The machine: cores, memory, processor, kernel and system.
#[must_use]
pub fn machine() -> String {
    let mut told = String::new();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let mut line = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(told, "{name} {value}");
    };
    line("cores for this process", &cores.to_string());
    let of = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("unknown");
        value.trim_matches([' ', '\t', ':', '=', '"']).to_owned()
    };
    line("processor", &of("/proc/cpuinfo", "model name"));
    line("memory", &of("/proc/meminfo", "MemTotal"));
    line("memory available", &of("/proc/meminfo", "MemAvailable"));
    line("system", &of("/etc/os-release", "PRETTY_NAME"));
    line("kernel", fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim());
    line("load", fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_and_the_machine_are_is_told_and_not_what_the_machine_is_called() {
        assert!(program().contains(env!("CARGO_PKG_VERSION")));
        let told = machine();
        assert!(told.contains("cores for this process ") && told.contains("kernel "), "{told}");
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert!(name.trim().is_empty() || !told.lines().any(|line| line.ends_with(name.trim())), "{told}");
    }
}
