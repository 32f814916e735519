//! A small GGUF whose every length, count and number can be made to lie.

/// A value of the metadata, as its bytes stand in a file.
#[derive(Clone)]
pub struct Value {
    /// The number of its type.
    pub kind: u32,
    /// What follows the type.
    pub bytes: Vec<u8>,
}

/// A tensor: what the header says of it, and its data.
#[derive(Clone)]
pub struct Tensor {
    pub name: Vec<u8>,
    /// The shortest stride first, as in a file.
    pub sizes: Vec<u64>,
    pub kind: u32,
    /// Where the header says that its data begins; in order where it is `None`.
    pub offset: Option<u64>,
    pub data: Vec<u8>,
}

/// A file before it is bytes.
#[derive(Clone)]
pub struct Gguf {
    pub magic: [u8; 4],
    pub version: u32,
    /// What the header says, where that is not the truth.
    pub tensor_count: Option<u64>,
    pub key_count: Option<u64>,
    pub metadata: Vec<(Vec<u8>, Value)>,
    pub tensors: Vec<Tensor>,
}

const ALIGNMENT: usize = 32;
const HIDDEN: u64 = 64;
const VOCABULARY: u64 = 288;

pub fn text(text: &[u8]) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    bytes
}

pub fn string(value: &str) -> Value {
    Value { kind: 8, bytes: text(value.as_bytes()) }
}

pub fn whole(value: u32) -> Value {
    Value { kind: 4, bytes: value.to_le_bytes().to_vec() }
}

pub fn real(value: f32) -> Value {
    Value { kind: 6, bytes: value.to_le_bytes().to_vec() }
}

/// A list: the type of its elements, how many it says to have, and their bytes.
pub fn list(kind: u32, count: u64, elements: &[u8]) -> Value {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend(count.to_le_bytes());
    bytes.extend(elements);
    Value { kind: 9, bytes }
}

/// The tokens of the small vocabulary: three that steer, 256 bytes, and some words.
pub fn tokens() -> Vec<String> {
    let steering = ["<unk>", "<s>", "</s>"].map(str::to_owned);
    let bytes = (0..=255).map(|byte: u8| format!("<0x{byte:02X}>"));
    let words = ('a'..='z').map(String::from).chain(["\u{2581}", "ab", "abc"].map(str::to_owned));
    steering.into_iter().chain(bytes).chain(words).collect()
}

fn vocabulary() -> Vec<(Vec<u8>, Value)> {
    let tokens = tokens();
    let count = tokens.len() as u64;
    assert_eq!(count, VOCABULARY);
    let kinds: Vec<u8> = tokens
        .iter()
        .map(|token| match token.as_str() {
            "<unk>" => 2,
            "<s>" | "</s>" => 3,
            byte if byte.starts_with("<0x") => 6,
            _ => 1_i32,
        })
        .flat_map(i32::to_le_bytes)
        .collect();
    let scores: Vec<u8> = (0..count).flat_map(|n| (-(n as f32)).to_le_bytes()).collect();
    let strings: Vec<u8> = tokens.iter().flat_map(|token| text(token.as_bytes())).collect();
    let key = |name: &str| format!("tokenizer.ggml.{name}").into_bytes();
    vec![
        (key("model"), string("llama")),
        (key("tokens"), list(8, count, &strings)),
        (key("scores"), list(6, count, &scores)),
        (key("token_type"), list(5, count, &kinds)),
        (key("bos_token_id"), whole(1)),
        (key("eos_token_id"), whole(2)),
        (key("add_bos_token"), Value { kind: 7, bytes: vec![1] }),
    ]
}

/// A tensor in `f32`, or a matrix in blocks of `q8_0`, of small numbers.
fn tensor(name: &str, sizes: &[u64], blocks: bool) -> Tensor {
    let count: u64 = sizes.iter().product();
    let small = |n: u64| ((n * 37 % 101) as f32 - 50.0) / 100.0;
    let data = if blocks {
        // A scale of 1/64 in half precision, and 32 numbers from -50 to 50.
        let block = |b: u64| {
            let numbers =
                (0..32).map(move |n| (((b * 32 + n) * 37 % 101) as i8 - 50).cast_unsigned());
            0x2400_u16.to_le_bytes().into_iter().chain(numbers)
        };
        (0..count / 32).flat_map(block).collect()
    } else {
        (0..count).flat_map(|n| (1.0 + small(n)).to_le_bytes()).collect()
    };
    let kind = if blocks { 8 } else { 0 };
    Tensor { name: name.into(), sizes: sizes.to_vec(), kind, offset: None, data }
}

impl Gguf {
    /// A llama of one layer, with a vocabulary.
    pub fn sound() -> Self {
        let key = |name: &str| format!("llama.{name}").into_bytes();
        let mut metadata = vec![
            (b"general.architecture".to_vec(), string("llama")),
            (b"general.name".to_vec(), string("small")),
            (b"general.alignment".to_vec(), whole(32)),
            (b"general.file_type".to_vec(), whole(7)),
            (key("vocab_size"), whole(288)),
            (key("block_count"), whole(1)),
            (key("embedding_length"), whole(64)),
            (key("feed_forward_length"), whole(64)),
            (key("context_length"), whole(64)),
            (key("attention.head_count"), whole(2)),
            (key("attention.head_count_kv"), whole(1)),
            (key("attention.layer_norm_rms_epsilon"), real(1e-5)),
            (key("rope.dimension_count"), whole(32)),
            (key("rope.freq_base"), real(10_000.0)),
        ];
        metadata.extend(vocabulary());
        let tensors = vec![
            tensor("token_embd.weight", &[HIDDEN, VOCABULARY], true),
            tensor("output_norm.weight", &[HIDDEN], false),
            tensor("blk.0.attn_norm.weight", &[HIDDEN], false),
            tensor("blk.0.attn_q.weight", &[HIDDEN, 64], true),
            tensor("blk.0.attn_k.weight", &[HIDDEN, 32], true),
            tensor("blk.0.attn_v.weight", &[HIDDEN, 32], true),
            tensor("blk.0.attn_output.weight", &[64, HIDDEN], true),
            tensor("blk.0.ffn_norm.weight", &[HIDDEN], false),
            tensor("blk.0.ffn_gate.weight", &[HIDDEN, 64], true),
            tensor("blk.0.ffn_up.weight", &[HIDDEN, 64], true),
            tensor("blk.0.ffn_down.weight", &[64, HIDDEN], true),
        ];
        let (tensor_count, key_count) = (None, None);
        Self { magic: *b"GGUF", version: 3, tensor_count, key_count, metadata, tensors }
    }

    /// The place of a key.
    pub fn key(&self, name: &str) -> usize {
        self.metadata.iter().position(|(key, _)| key == name.as_bytes()).unwrap()
    }

    /// The bytes of the header, up to where the data begins.
    pub fn header(&self) -> Vec<u8> {
        let mut bytes = self.magic.to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(self.tensor_count.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        bytes.extend(self.key_count.unwrap_or(self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            bytes.extend(text(key));
            bytes.extend(value.kind.to_le_bytes());
            bytes.extend(&value.bytes);
        }
        let mut offset = 0;
        for tensor in &self.tensors {
            bytes.extend(text(&tensor.name));
            bytes.extend(u32::try_from(tensor.sizes.len()).unwrap().to_le_bytes());
            bytes.extend(tensor.sizes.iter().flat_map(|size| size.to_le_bytes()));
            bytes.extend(tensor.kind.to_le_bytes());
            bytes.extend(tensor.offset.unwrap_or(offset).to_le_bytes());
            offset += tensor.data.len().next_multiple_of(ALIGNMENT) as u64;
        }
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes
    }

    /// The whole file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header();
        for tensor in &self.tensors {
            bytes.extend(&tensor.data);
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        }
        bytes
    }
}
