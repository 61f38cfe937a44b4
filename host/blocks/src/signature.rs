//! The signature of a component file: over the very bytes that were read, by a key of the operator.

use crate::{Error, Result};
use wythe_manifest::{AnchoredPath, SIGNATURE_EXTENSION, SigningKeys};

/// Bytes of a signature's file; minisign's have less than 1 KiB, most of it comments.
const MAX_SIGNATURE: u64 = 4 << 10;

/// Checks the bytes that were read of a component file against the signature beside it, `FILE.minisig`, which is read
/// here. An error is `denied`. It shows nothing of the file's content but the id of a key.
pub fn check(file: &AnchoredPath, bytes: &[u8], keys: &SigningKeys) -> Result<()> {
    let place = file.with_added_extension(SIGNATURE_EXTENSION);
    let (shown, signature) = (file.path().display(), place.path().display());
    let read = place.open().and_then(|open| open.read(MAX_SIGNATURE));
    let why = match read {
        Ok(content) => match keys.check(bytes, &content) {
            Ok(()) => return Ok(()),
            Err(why) => format!("its signature {signature} {why}"),
        },
        Err(why) if why.is_missing() => format!("there is no signature {signature}"),
        Err(why) => format!("its signature {signature} cannot be read: {why}"),
    };
    Err(Error::denied(format!(
        "the component file {shown} is not signed by a key of the operator: {why}; the keys are at {}; sign it with one \
         of them: `minisign -S -s KEY -m {shown}`",
        keys.source
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink, path::Path, sync::Arc};

    const BYTES: &[u8] = b"bytes of a component";
    /// Keys of minisign 0.11, of which the first and the second signed the bytes.
    const KEYS: [&str; 2] = [
        "RWRw4l/h70PvgIWnrgadAVQom7DTq7M1OBlDEGuU/y1eJz7hTFiAl3a7",
        "RWRniw3+ItFI+Py6USMyrYUjRjJ/gNOg+gx4P4XtRcmL1SBZlU66HYoD",
    ];
    const SIGNATURES: [&str; 2] = [
        "untrusted comment: signature from minisign secret key
RURw4l/h70PvgEju3to1G0GZrrknraiNaV1NFAxvRoYNZaSTj2Kc7WMpq0oHd+P5IhpKvkDxrPEwPmz01Qcnl+0cTPRKMkH8mgY=
trusted comment: shop 1
b17siRqdnsrGrv7RpzW+O9dmTDMG1B9NWoLghzuKhZHnCxGiOpcd6Qv0Z4k8WsRqwttZZxyLahiTydVcEPDBAg==
",
        "untrusted comment: signature from minisign secret key
RURniw3+ItFI+CFFmBas/J+q3rBJZ2r1WSycfwicGzdH49nA3CMk6B3r05nt+gvoIsYm1zNoSbPzeB4chIKgPX5zovySQQrMyQ0=
trusted comment: other
U38MOIXxGRzE5j5g6A6bnkyiAosK99C/riAdxUqy/w3ZZr7ZAThO8Op8NyaY/0htqC+EjvHI3lf+TaWmYHHLDQ==
",
    ];
    /// The first key's signature over the bytes, by `minisign -l`.
    const LEGACY: &str = "untrusted comment: signature from minisign secret key
RWRw4l/h70PvgLu2jsqJMVflm4wl6Ko+PyeloZjo9cvpnh46LvW2ItWV6ifzUdxgYCRQYAc9fTmpnVGs5bS5hJJQbpI3xCGmzgw=
trusted comment: old form
m0U6fT/wABPturBFxYNVgotat9hXcrjicSXJCk0NwotMotDhl0VSZulgykg4MRwJcUf7dUOLvhuBhkvWHsOMAQ==
";
    /// The first key's signature over no bytes.
    const OF_NOTHING: &str = "untrusted comment: signature from minisign secret key
RURw4l/h70PvgDvADbVP20YiQY8RRQqZ1xyL2cz2mv1I4uOVC+LdjnFidJYOIsQ15el5UqrpbOnHLVDA9kBtbLCn8W5oZFM4UAk=
trusted comment: empty
amWOehXoZDXurRlWum8BRxJcTMT4By6UWX8JoGBqCLyoo1MCCtVFMj6A+AW5Ux4iPbR8Ryrr1nkh1w6Mb5iMDg==
";

    /// The keys as an operator's file has them.
    fn keys(written: &[&str]) -> Arc<SigningKeys> {
        let directory = tempfile::tempdir().unwrap();
        let list = written.join(", ");
        let text =
            format!("apiVersion: wythe/v1\nkind: Tenant\nspec: {{ signingKeys: [{list}] }}\n");
        fs::write(directory.path().join("wythe-host.yaml"), text).unwrap();
        let (file, _) = wythe_manifest::load_host_file(directory.path());
        let tenant = "shop".parse().unwrap();
        assert!(file.problems_of(&tenant).is_empty());
        file.terms(&tenant).signing_keys.unwrap()
    }

    /// The end of a refusal, without what differs by the directory.
    fn refused(root: &Path, bytes: &[u8], keys: &SigningKeys) -> String {
        let file = AnchoredPath::new(Some(root), &root.join("a.wasm"));
        let error = check(&file, bytes, keys).unwrap_err();
        assert_eq!(error.kind(), crate::Kind::Denied);
        let text = error.message().replace(&format!("{}/", root.display()), "");
        let start = "the component file a.wasm is not signed by a key of the operator: ";
        let (why, rest) = text
            .strip_prefix(start)
            .unwrap()
            .split_once("; the keys are at ")
            .unwrap();
        assert!(
            rest.ends_with(
                "wythe-host.yaml:3; sign it with one of them: `minisign -S -s KEY -m a.wasm`"
            ),
            "{rest}"
        );
        why.to_owned()
    }

    #[test]
    fn bytes_that_a_key_of_the_operator_signed_are_taken() {
        let root = tempfile::tempdir().unwrap();
        let file = AnchoredPath::new(Some(root.path()), &root.path().join("a.wasm"));
        for (signature, bytes) in [
            (SIGNATURES[0], BYTES),
            (SIGNATURES[1], BYTES),
            (OF_NOTHING, b""),
        ] {
            fs::write(root.path().join("a.wasm.minisig"), signature).unwrap();
            check(&file, bytes, &keys(&KEYS)).unwrap();
        }
    }

    #[test]
    fn everything_else_is_refused_with_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let (path, first) = (root.path(), keys(&KEYS[..1]));
        let signature = path.join("a.wasm.minisig");
        let with = |content: &str, bytes: &[u8]| {
            fs::write(&signature, content).unwrap();
            refused(path, bytes, &first)
        };
        assert_eq!(
            refused(path, BYTES, &first),
            "there is no signature a.wasm.minisig"
        );
        assert_eq!(
            with(SIGNATURES[1], BYTES),
            "its signature a.wasm.minisig is by the key F848D122FE0D8B67, which is none of the operator's"
        );
        let changed = "its signature a.wasm.minisig by the key 80EF43EFE15FE270 is of other bytes, or was changed itself";
        assert_eq!(with(SIGNATURES[0], b"bytes of a Component"), changed);
        assert_eq!(with(SIGNATURES[0], b""), changed);
        // The comment is signed as well.
        assert_eq!(
            with(&SIGNATURES[0].replace("shop 1", "shop 2"), BYTES),
            changed
        );
        // The id alone makes no key.
        let stolen = SIGNATURES[1].replace("RURniw3+ItFI+", "RURw4l/h70Pvg");
        assert_eq!(with(&stolen, BYTES), changed);
        assert_eq!(
            with(LEGACY, BYTES),
            "its signature a.wasm.minisig is of minisign's legacy form; sign without `-l`, by minisign 0.10 or later"
        );
        let malformed = "its signature a.wasm.minisig is none of minisign's";
        let cut = &SIGNATURES[0][..SIGNATURES[0].len() - 9];
        for content in [
            "",
            "\n\n\n\n",
            "\u{1b}[31m",
            cut,
            &cut.replace("mgY=", "mg=="),
        ] {
            assert_eq!(with(content, BYTES), malformed);
        }
        assert_eq!(
            with(&"a".repeat(4097), BYTES),
            "its signature a.wasm.minisig cannot be read: larger than 4 KiB, which is the most that is read"
        );
    }

    #[test]
    fn a_signature_elsewhere_or_one_that_is_no_file_is_none() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (path, first) = (root.path(), keys(&KEYS[..1]));
        let (signature, elsewhere) = (path.join("a.wasm.minisig"), outside.path().join("s"));
        fs::write(&elsewhere, SIGNATURES[0]).unwrap();
        symlink(&elsewhere, &signature).unwrap();
        let why = refused(path, BYTES, &first);
        assert!(
            why.starts_with("its signature a.wasm.minisig cannot be read: a link leads out"),
            "{why}"
        );
        fs::remove_file(&signature).unwrap();
        fs::create_dir(&signature).unwrap();
        let why = refused(path, BYTES, &first);
        assert!(
            why.ends_with("cannot be read: a directory; expected a regular file"),
            "{why}"
        );
    }
}
