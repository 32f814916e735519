//! Headers that nobody should believe, each refused with the reason and the place.

use super::*;

/// A header in bytes, piece by piece.
#[derive(Clone)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn begin(version: u32, tensors: u64, keys: u64) -> Self {
        Self(b"GGUF".to_vec()).u32(version).u64(tensors).u64(keys)
    }

    fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn u64(mut self, number: u64) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn text(self, text: &str) -> Self {
        let mut longer = self.u64(text.len() as u64);
        longer.0.extend(text.as_bytes());
        longer
    }

    /// A key and the number of its value's type.
    fn key(self, key: &str, kind: u32) -> Self {
        self.text(key).u32(kind)
    }

    fn tensor(self, name: &str, sizes: &[u64], kind: u32, offset: u64) -> Self {
        let mut longer = self.text(name).u32(u32::try_from(sizes.len()).unwrap());
        for &size in sizes {
            longer = longer.u64(size);
        }
        longer.u32(kind).u64(offset)
    }

    /// Padded to where data begins, and with so many bytes of data.
    fn data(mut self, bytes: usize) -> Self {
        self.0.resize(self.0.len().next_multiple_of(32) + bytes, 0);
        self
    }

    fn read(&self) -> Result<Header, Fault> {
        read(self.0.as_slice(), self.0.len() as u64)
    }

    fn refused(&self) -> String {
        match self.read() {
            Ok(_) => panic!("it was accepted"),
            Err(Fault::Damaged(reason) | Fault::Unread(reason)) => reason,
            Err(Fault::Io(error)) => panic!("{error}"),
        }
    }
}

fn one_key() -> Bytes {
    Bytes::begin(3, 0, 1)
}

fn one_tensor() -> Bytes {
    Bytes::begin(3, 1, 0)
}

#[test]
fn every_kind_of_value_is_read() {
    let mut bytes = Bytes::begin(3, 1, 4).key("name", 8).text("tiny\0");
    bytes = bytes.key("count", 4).u32(7).key("wide", 10).u64(1 << 40);
    bytes = bytes.key("list", 9).u32(8).u64(2).text("a").text("ü");
    let header = bytes.tensor("w", &[32, 3], 8, 0).data(102).read().unwrap();
    assert!(matches!(&header.metadata["name"], Value::String(name) if name == "tiny"));
    assert_eq!(integer(&header.metadata["count"]), Some(7));
    assert_eq!(integer(&header.metadata["wide"]), Some(1 << 40));
    let Value::Array(list) = &header.metadata["list"] else { panic!("no array") };
    assert!(matches!(&list[1], Value::String(text) if text == "ü"));
    let tensor = &header.tensors["w"];
    // Three rows of a block of 32 and its scale: 3 * 34 bytes.
    assert_eq!(
        (tensor.shape.dims(), tensor.dtype, tensor.bytes),
        (&[3, 32][..], GgmlDType::Q8_0, 102)
    );
    assert!(tensor.start.is_multiple_of(32));
}

#[test]
fn versions_one_and_two_are_read() {
    let mut first = Bytes(b"GGUF".to_vec()).u32(1).u32(0).u32(1).u32(1);
    first.0.push(b'k');
    let header = first.u32(4).u32(9).read().unwrap();
    assert_eq!(integer(&header.metadata["k"]), Some(9));
    assert!(Bytes::begin(2, 0, 1).key("k", 4).u32(9).read().is_ok());
}

#[test]
fn what_is_not_read_here_ends_in_advice() {
    let big_endian = Bytes::begin(3u32.swap_bytes(), 0, 0).refused();
    assert!(big_endian.starts_with("it is big-endian"), "{big_endian}");
    assert!(Bytes::begin(4, 0, 0).refused().contains("version 4, and 1 to 3 are read"));
    for (number, name) in [
        (16, "IQ2_XXS"),
        (17, "IQ2_XS"),
        (18, "IQ3_XXS"),
        (19, "IQ1_S"),
        (20, "IQ4_NL"),
        (21, "IQ3_S"),
        (22, "IQ2_S"),
        (23, "IQ4_XS"),
        (29, "IQ1_M"),
        (34, "TQ1_0"),
        (35, "TQ2_0"),
        (39, "MXFP4"),
        (40, "NVFP4"),
        (41, "Q1_0"),
    ] {
        let reason = one_tensor().tensor("blk.0.w", &[256], number, 0).data(4096).refused();
        assert_eq!(
            reason,
            format!(
                "the tensor blk.0.w has type {name}, which is not read here; use a file of the same \
                 model in q4_k_m, q5_k_m, q6_k, q8_0, q4_0, bf16 or f16"
            )
        );
    }
    let old = one_tensor().tensor("w", &[256], 31, 0).data(4096).refused();
    assert!(old.contains("type 31, which llama.cpp itself no longer reads"), "{old}");
}

#[test]
fn counts_and_lengths_are_held_against_the_file() {
    for (bytes, reason) in [
        (Bytes(b"GGUFxx".to_vec()), "it does not begin as one does"),
        (Bytes(b"GGML".to_vec()).u64(0), "it does not begin as one does"),
        (
            Bytes(b"GGUF".to_vec()).u32(3),
            "its header breaks off at byte 8, before byte 8 in its counts",
        ),
        (Bytes::begin(300, 0, 0), "its version is 300"),
        (
            Bytes::begin(3, u64::MAX, 0),
            "18446744073709551615 tensors, where no more than 131072 are believed, before byte 16 in its counts",
        ),
        (Bytes::begin(3, 9, 0), "its header breaks off at byte 24, before byte 16 in its counts"),
        (
            Bytes::begin(3, 0, 1 << 40),
            "1099511627776 keys, where no more than 65536 are believed, before byte 24 in its counts",
        ),
        (Bytes::begin(3, 0, 9), "its header breaks off at byte 24, before byte 24 in its counts"),
        (
            one_key().u64(1 << 30).data(64),
            "1073741824 bytes of a string, where no more than 65535 are believed, before byte 32 in the name of key 1",
        ),
        (
            one_key().key("k", 8).u64(1 << 60),
            "1152921504606846976 bytes of a string, where no more than 16777216 are believed, before byte 45 in the value of k",
        ),
        (
            one_key().key("k", 8).u64(1 << 20),
            "its header breaks off at byte 45, before byte 45 in the value of k",
        ),
        (
            one_key().key("k", 9).u32(8).u64(1 << 40),
            "1099511627776 elements of an array, where no more than 8388608 are believed, before byte 49 in the value of k",
        ),
        (
            one_key().key("k", 9).u32(8).u64(3),
            "its header breaks off at byte 49, before byte 49 in the value of k",
        ),
        (
            one_tensor().u64(256).data(4096),
            "256 bytes of a string, where no more than 255 are believed, before byte 32 in the name of tensor 1",
        ),
    ] {
        assert_eq!(bytes.refused(), reason);
    }
}

#[test]
fn values_of_no_type_are_refused() {
    for (bytes, reason) in [
        (
            one_key().key("k", 13).u64(0),
            "13 is no type of a value, before byte 37 in the value of k",
        ),
        (
            one_key().key("a\n. b", 9).u32(9).u64(0),
            "an array of arrays, which llama.cpp has not either, before byte 45 in the value of \"a\\n. b\"",
        ),
        (
            one_key().key("k", 9).u32(77).u64(0),
            "77 is no type of a value, before byte 41 in the value of k",
        ),
        (
            one_key().key("k", 7).u32(2),
            "2 is neither true nor false, before byte 38 in the value of k",
        ),
        (
            Bytes::begin(3, 0, 2).key("k", 4).u32(1).key("k", 4).u32(1),
            "the same key comes twice, before byte 58 in the value of k",
        ),
        (
            one_key().key("general.alignment", 4).u32(0),
            "general.alignment is no power of two up to 2097152",
        ),
        (
            one_key().key("general.alignment", 4).u32(48),
            "general.alignment is no power of two up to 2097152",
        ),
        (
            one_key().key("general.alignment", 10).u64(1 << 63),
            "general.alignment is no power of two up to 2097152",
        ),
    ] {
        assert_eq!(bytes.refused(), reason);
    }
    assert!(one_key().key("general.alignment", 4).u32(64).read().is_ok());
}

#[test]
fn tensors_lie_side_by_side_in_the_file() {
    let wide = u64::from(u32::MAX) + 1;
    for (bytes, reason) in [
        (
            one_tensor().tensor("w", &[1, 1, 1, 1, 1], 0, 0).data(32),
            "5 dimensions, where 4 are the most, before byte 37 in the tensor w",
        ),
        (
            one_tensor().tensor("w", &[wide, wide], 0, 0).data(32),
            "a dimension of 4294967296, before byte 53 in the tensor w",
        ),
        (
            one_tensor().tensor("w", &[0, 4], 0, 0).data(32),
            "a dimension of 0, before byte 45 in the tensor w",
        ),
        (
            one_tensor().tensor("w", &[1 << 62], 0, 0).data(32),
            "4611686018427387904 elements, before byte 57 in the tensor w",
        ),
        (
            one_tensor().tensor("w", &[33], 8, 0).data(64),
            "rows of 33 do not divide into the blocks of 32 of q8_0, before byte 57 in the tensor w",
        ),
        (one_tensor().tensor("w", &[32], 99, 0).data(64), "the tensor w has the unknown type 99"),
        (
            one_tensor().tensor("w", &[8], 0, 16).data(64),
            "its data begins at 16, which is no multiple of 32, before byte 57 in the tensor w",
        ),
        (
            Bytes::begin(3, 2, 0).tensor("w", &[8], 0, 0).tensor("w", &[8], 0, 32).data(64),
            "the same name comes twice, before byte 90 in the tensor w",
        ),
        (
            Bytes::begin(3, 2, 0).tensor("a", &[16], 0, 0).tensor("b", &[8], 0, 32).data(64),
            "the tensors a and b overlap at byte 128",
        ),
        (
            one_tensor().tensor("w", &[16], 0, 0).data(63),
            "it is cut short: its header tells of 128 bytes, the file has 127",
        ),
        (
            one_tensor().tensor("w", &[8], 0, u64::MAX - 31).data(64),
            "it is cut short: its header tells of 18446744073709551615 bytes, the file has 128",
        ),
    ] {
        assert_eq!(bytes.refused(), reason);
    }
}
