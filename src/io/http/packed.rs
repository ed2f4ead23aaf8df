//! **The question:** does this client read gzip (RFC 1952), and what is a text in it? Files that are compiled in were
//! packed then, see `build.rs`.

use std::io::Write;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Whether an answer to `request` may be gzip (RFC 9110 section 12.5.3): named, and not at weight 0.
pub(super) fn is_read(request: &HeaderMap) -> bool {
    let named = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        is_gzip && parts.all(|part| part.strip_prefix("q=").is_none_or(|weight| weight.parse() != Ok(0.0_f32)))
    })
}

/// A text that is soon another one, in gzip.
pub(super) fn brief(text: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 3), Compression::default());
    encoder.write_all(text).expect("memory takes what is written to it");
    encoder.finish().expect("memory takes what is written to it").into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn who_names_gzip_reads_it() {
        let reads = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, value.parse().unwrap());
            is_read(&headers)
        };
        assert!(reads("gzip") && reads("br, GZip;q=0.5") && reads("deflate,gzip ;q=1"));
        assert!(!reads("gzip;q=0") && !reads("gzip; q=0.000") && !reads("br") && !reads("x-gzipped"));
        assert!(!is_read(&HeaderMap::new()));
    }

    #[test]
    fn what_is_packed_is_the_text() {
        let text = b"the same again, the same again, the same again";
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&brief(text)[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, text);
    }
}
