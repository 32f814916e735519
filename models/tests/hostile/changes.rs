//! What can be wrong with a file: each change makes one hostile file of a sound one.

use super::file::{Gguf, Tensor, Value, list, real, string, text, tokens, whole};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// A hostile file, and what was done to it.
pub struct Hostile {
    pub what: String,
    pub bytes: Vec<u8>,
}

/// Numbers that a length, a count or an offset should not be.
const LIES: [u64; 10] = [
    0,
    1,
    31,
    1 << 16,
    (1 << 31) - 1,
    1 << 32,
    1 << 40,
    i64::MAX.cast_unsigned(),
    u64::MAX - 31,
    u64::MAX,
];

/// All of them, the same ones each time.
pub fn all() -> Vec<Hostile> {
    let mut all = Vec::new();
    let sound = Gguf::sound();
    cut(&sound, &mut all);
    beginnings(&sound, &mut all);
    lengths(&sound, &mut all);
    keys(&sound, &mut all);
    alignments_and_splits(&sound, &mut all);
    lists(&sound, &mut all);
    vocabularies(&sound, &mut all);
    shapes(&sound, &mut all);
    places(&sound, &mut all);
    weights(&sound, &mut all);
    noise(&sound, &mut all);
    all
}

fn keep(all: &mut Vec<Hostile>, what: String, change: impl FnOnce(&mut Gguf)) {
    let mut changed = Gguf::sound();
    change(&mut changed);
    all.push(Hostile { what, bytes: changed.bytes() });
}

fn cut(sound: &Gguf, all: &mut Vec<Hostile>) {
    let (bytes, header) = (sound.bytes(), sound.header().len());
    let even = (0..20).map(|n| bytes.len() * n / 20);
    for at in even.chain([1, 4, 8, 16, 24, header - 33, header, header + 1]) {
        let what = format!("cut after {at} of {} bytes", bytes.len());
        all.push(Hostile { what, bytes: bytes[..at].to_vec() });
    }
}

fn beginnings(sound: &Gguf, all: &mut Vec<Hostile>) {
    // Other files under this name: an older format, an archive and a pickle of PyTorch, a script.
    for magic in [*b"GGML", *b"lmgg", *b"PK\x03\x04", *b"\x80\x02cq", *b"#!/b", [0; 4], [255; 4]] {
        keep(all, format!("begins with {magic:?}"), |file| file.magic = magic);
    }
    for version in [0, 1, 2, 4, 3_u32.swap_bytes(), u32::MAX] {
        keep(all, format!("version {version}"), |file| file.version = version);
    }
    let (tensors, keys) = (sound.tensors.len() as u64, sound.metadata.len() as u64);
    for lie in LIES.into_iter().chain([tensors - 1, tensors + 1]) {
        keep(all, format!("tells of {lie} tensors"), |file| file.tensor_count = Some(lie));
    }
    for lie in LIES.into_iter().chain([keys - 1, keys + 1]) {
        keep(all, format!("tells of {lie} keys"), |file| file.key_count = Some(lie));
    }
}

/// The bytes of the file with the eight at the one place where `from` stands made to say `lie`.
fn lying(sound: &Gguf, from: &[u8], lie: u64) -> Vec<u8> {
    let mut bytes = sound.bytes();
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[at..at + 8].copy_from_slice(&lie.to_le_bytes());
    bytes
}

fn lengths(sound: &Gguf, all: &mut Vec<Hostile>) {
    for (name, from) in [
        ("key", text(b"llama.block_count")),
        ("text", text(b"small")),
        ("token", text(b"abc")),
        ("tensor's name", text(b"blk.0.attn_q.weight")),
    ] {
        for lie in LIES {
            let bytes = lying(sound, &from, lie);
            all.push(Hostile { what: format!("a {name} of {lie} bytes"), bytes });
        }
    }
}

fn keys(sound: &Gguf, all: &mut Vec<Hostile>) {
    let wide = |value: u64| Value { kind: 10, bytes: value.to_le_bytes().to_vec() };
    let others = [
        ("0", whole(0)),
        ("1", whole(1)),
        ("2^20", whole(1 << 20)),
        ("2^28", whole(1 << 28)),
        ("2^32 - 1", whole(u32::MAX)),
        ("2^40", wide(1 << 40)),
        ("2^64 - 1", wide(u64::MAX)),
        ("-1", Value { kind: 5, bytes: (-1_i32).to_le_bytes().to_vec() }),
        ("NaN", real(f32::NAN)),
        ("infinite", real(f32::INFINITY)),
        ("a text", string("many")),
        ("an empty list", list(4, 0, &[])),
        ("true", Value { kind: 7, bytes: vec![1] }),
    ];
    for (at, (key, _)) in sound.metadata.iter().enumerate() {
        let name = String::from_utf8_lossy(key);
        keep(all, format!("without {name}"), |file| drop(file.metadata.remove(at)));
        keep(all, format!("{name} twice"), |file| {
            let twice = file.metadata[at].clone();
            file.metadata.push(twice);
        });
        for (what, value) in &others {
            let value = value.clone();
            keep(all, format!("{name} is {what}"), |file| file.metadata[at].1 = value);
        }
    }
    for architecture in ["", "LLAMA", "gpt2", "\u{1b}[2J", "a\nb", "gemma3", "deepseek2", "gpt-oss"]
    {
        keep(all, format!("the architecture {architecture:?}"), |file| {
            file.metadata[0].1 = string(architecture);
        });
    }
}

fn alignments_and_splits(sound: &Gguf, all: &mut Vec<Hostile>) {
    let at = sound.key("general.alignment");
    for alignment in [0, 1, 3, 7, 8, 48, 1 << 21, 1 << 22, 1 << 31, u32::MAX] {
        keep(all, format!("aligned to {alignment}"), |file| {
            file.metadata[at].1 = whole(alignment);
        });
    }
    for count in [0, 1, 2, 99_999, u32::MAX] {
        keep(all, format!("one of {count} parts"), |file| {
            file.metadata.push((b"split.count".to_vec(), whole(count)));
            file.metadata.push((b"split.no".to_vec(), whole(0)));
        });
    }
}

fn lists(sound: &Gguf, all: &mut Vec<Hostile>) {
    // Lists in lists, so deep that a reader that calls itself would run out of stack.
    for depth in [1, 2, 1_000, 100_000] {
        let mut value = list(9, 1, &[]);
        for _ in 1..depth {
            value.bytes.extend(list(9, 1, &[]).bytes);
        }
        value.bytes.extend(list(0, 1, &[7]).bytes);
        keep(all, format!("lists in lists, {depth} deep"), |file| {
            file.metadata.push((b"some.list".to_vec(), value));
        });
    }
    for kind in [0, 7, 8, 9, 10, 12, 13, 255, u32::MAX] {
        for count in [3, 1 << 20, 1 << 33, u64::MAX] {
            keep(all, format!("a list of {count} of the type {kind}"), |file| {
                file.metadata.push((b"some.list".to_vec(), list(kind, count, &[1; 24])));
            });
        }
    }
    for kind in [13, 14, 255, 1 << 16, u32::MAX] {
        let at = sound.key("general.name");
        keep(all, format!("a value of the type {kind}"), |file| {
            file.metadata[at].1.kind = kind;
        });
    }
    keep(all, "a million keys of nothing".into(), |file| {
        let empty = |n: u32| (n.to_le_bytes().to_vec(), list(0, 0, &[]));
        file.metadata.extend((0..1_000_000).map(empty));
    });
    keep(all, "a megabyte of truths".into(), |file| {
        let truths = list(7, 1 << 20, &vec![1; 1 << 20]);
        file.metadata.push((b"some.list".to_vec(), truths));
    });
}

fn vocabularies(sound: &Gguf, all: &mut Vec<Hostile>) {
    let key = |name: &str| sound.key(&format!("tokenizer.ggml.{name}"));
    let count = tokens().len() as u64;
    for kind in [-1_i32, 7, i32::MIN, i32::MAX] {
        keep(all, format!("tokens of the kind {kind}"), |file| {
            let kinds: Vec<u8> = (0..count).flat_map(|_| kind.to_le_bytes()).collect();
            file.metadata[key("token_type")].1 = list(5, count, &kinds);
        });
    }
    for score in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        keep(all, format!("scores of {score}"), |file| {
            let scores: Vec<u8> = (0..count).flat_map(|_| score.to_le_bytes()).collect();
            file.metadata[key("scores")].1 = list(6, count, &scores);
        });
    }
    for id in ["bos_token_id", "eos_token_id"] {
        for value in [288, 1 << 20, u32::MAX] {
            keep(all, format!("{id} {value}"), |file| file.metadata[key(id)].1 = whole(value));
        }
    }
    for fewer in [0, 1, 287, 289] {
        keep(all, format!("scores of {fewer} tokens"), |file| {
            let scores: Vec<u8> = (0..fewer).flat_map(|_| 0_f32.to_le_bytes()).collect();
            file.metadata[key("scores")].1 = list(6, fewer, &scores);
        });
    }
    let written = |tokens: &[Vec<u8>]| -> Vec<u8> { tokens.iter().flat_map(|t| text(t)).collect() };
    let long = vec![b'a'; 1 << 20];
    for (what, token) in [
        ("empty", &b""[..]),
        ("another's", b"abc"),
        ("no UTF-8", b"\xff\xfe"),
        ("zeros", b"\0\0\0"),
        ("an escape", b"\x1b[31m"),
        ("a megabyte", &long),
    ] {
        let mut tokens: Vec<Vec<u8>> = tokens().into_iter().map(String::into_bytes).collect();
        tokens[280] = token.to_vec();
        keep(all, format!("a token is {what}"), |file| {
            file.metadata[key("tokens")].1 = list(8, count, &written(&tokens));
        });
    }
    keep(all, "the vocabulary of another kind".into(), |file| {
        file.metadata[key("model")].1 = string("gpt2");
    });
    for merge in ["a b", "ab c", "a", " ", "", "x yz", "a b c"] {
        keep(all, format!("the merge {merge:?}"), |file| {
            file.metadata[key("model")].1 = string("gpt2");
            let merges = list(8, 1, &text(merge.as_bytes()));
            file.metadata.push((b"tokenizer.ggml.merges".to_vec(), merges));
        });
    }
}

fn shapes(sound: &Gguf, all: &mut Vec<Hostile>) {
    let wrong: [&[u64]; 14] = [
        &[],
        &[0],
        &[0, 0],
        &[32, 0],
        &[u64::MAX],
        &[1 << 32, 1 << 32],
        &[1 << 63, 2],
        &[32, 1 << 59],
        &[32, u64::MAX / 32],
        &[31, 32],
        &[32, 32, 1, 1, 1],
        &[32, 32, 32, 32],
        &[288, 64],
        &[64, 1 << 24],
    ];
    for at in [0, 1, 3, 10] {
        let name = String::from_utf8_lossy(&sound.tensors[at].name);
        for sizes in wrong {
            keep(all, format!("{name} of the shape {sizes:?}"), |file| {
                file.tensors[at].sizes = sizes.to_vec();
            });
        }
    }
    // Every number that a type ever had, and some that none has.
    for kind in (0..48).chain([255, u32::MAX]) {
        keep(all, format!("a matrix of the type {kind}"), |file| file.tensors[3].kind = kind);
        keep(all, format!("a norm of the type {kind}"), |file| file.tensors[1].kind = kind);
    }
}

fn places(sound: &Gguf, all: &mut Vec<Hostile>) {
    for at in 0..sound.tensors.len() {
        let name = String::from_utf8_lossy(&sound.tensors[at].name);
        keep(all, format!("without {name}"), |file| drop(file.tensors.remove(at)));
        for offset in [0, 64, 1, 1 << 30, i64::MAX.cast_unsigned() - 31, u64::MAX - 31, u64::MAX] {
            keep(all, format!("{name} at {offset}"), |file| {
                file.tensors[at].offset = Some(offset);
            });
        }
    }
    let long = vec![b'n'; 70_000];
    for name in
        [&b""[..], b"token_embd.weight", b"\xff\x00", b"../../weights", b"a\x1b[2Jb\n", &long]
    {
        let shown = String::from_utf8_lossy(&name[..name.len().min(20)]).into_owned();
        keep(all, format!("a tensor called {shown:?}"), |file| {
            file.tensors[4].name = name.to_vec();
        });
    }
    keep(all, "ten thousand empty layers".into(), |file| {
        let nothing = |n: usize| Tensor {
            name: format!("blk.{n}.nothing").into_bytes(),
            sizes: vec![1],
            kind: 0,
            offset: None,
            data: vec![0; 4],
        };
        file.tensors.extend((1..10_000).map(nothing));
        let layers = file.key("llama.block_count");
        file.metadata[layers].1 = whole(10_000);
    });
}

fn weights(sound: &Gguf, all: &mut Vec<Hostile>) {
    // Halves: NaN, infinity, the largest, the least; and each as the bytes of a float.
    for (what, pair) in [
        ("NaN", [0x00, 0x7e]),
        ("infinity", [0x00, 0x7c]),
        ("the largest", [0xff, 0x7b]),
        ("the least", [0x01, 0x00]),
        ("ones", [0xff, 0xff]),
        ("nothing", [0x00, 0x00]),
    ] {
        for at in [0, 1, 3, 10] {
            let name = String::from_utf8_lossy(&sound.tensors[at].name);
            keep(all, format!("{name} scaled by {what}"), |file| {
                let every = if file.tensors[at].kind == 8 { 34 } else { 4 };
                for block in file.tensors[at].data.chunks_mut(every) {
                    let end = block.len().min(if every == 4 { 4 } else { 2 });
                    block[end - 2..end].copy_from_slice(&pair);
                }
            });
        }
    }
}

/// Bytes, bits and numbers changed anywhere in the header, by a seed.
fn noise(sound: &Gguf, all: &mut Vec<Hostile>) {
    let (bytes, header) = (sound.bytes(), sound.header().len());
    let mut rng = SmallRng::seed_from_u64(11);
    for n in 0..300 {
        let mut changed = bytes.clone();
        for _ in 0..rng.random_range(1..=6) {
            let at = rng.random_range(0..header - 8);
            match n % 3 {
                0 => changed[at] = rng.random(),
                1 => changed[at] ^= 1 << rng.random_range(0..8),
                _ => {
                    let number = rng.random::<u64>() >> rng.random_range(0..64);
                    changed[at..at + 8].copy_from_slice(&number.to_le_bytes());
                }
            }
        }
        all.push(Hostile { what: format!("noise {n}"), bytes: changed });
    }
}
