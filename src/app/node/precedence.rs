//! **The question:** what goes before other programs where cores are short? Sound: it takes some hundredths of a core,
//! and a picture that comes late is replaced by the next one, a word is not.

use std::sync::Once;

/// How far it goes before them (nice).
const PRECEDENCE: i32 = -11;

/// The calling thread, and on Linux no other, goes before other programs from now on, if the system allows it.
pub(super) fn take() {
    static TOLD: Once = Once::new();
    if let Err(error) = rustix::process::nice(PRECEDENCE) {
        TOLD.call_once(|| {
            tracing::info!(
                %error,
                "sound may not go before other programs here: beside those that take all cores it may have gaps; \
                 LimitNICE={PRECEDENCE} in the unit, or the capability CAP_SYS_NICE, allows it"
            );
        });
    }
}
