//! **The question:** which instructions does this processor have? A kernel is plain loops, compiled several times; the
//! widest version that the processor runs is chosen at run time. Other architectures get their baseline (NEON on
//! aarch64).

/// Loops that the compiler turns into vector code. `run` and all it calls are `#[inline(always)]`, so that each
/// compilation of [`fastest`] holds a copy of its own.
pub(super) trait Kernel {
    /// The work.
    fn run(self);
}

/// Runs `kernel` with the widest instructions there are.
#[cfg(target_arch = "x86_64")]
pub(super) fn fastest<K: Kernel>(kernel: K) {
    if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl") {
        // SAFETY: the processor has just been asked for both; AVX-512 VL and BW imply AVX2 and below.
        unsafe { with_avx512(kernel) }
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has just been asked.
        unsafe { with_avx2(kernel) }
    } else {
        kernel.run();
    }
}

/// Runs `kernel`.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn fastest<K: Kernel>(kernel: K) {
    kernel.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn with_avx2<K: Kernel>(kernel: K) {
    kernel.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,avx512f,avx512bw,avx512vl,avx512dq")]
fn with_avx512<K: Kernel>(kernel: K) {
    kernel.run();
}
