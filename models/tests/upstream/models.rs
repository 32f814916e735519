//! candle-transformers' models behind one call.

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models as upstream;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

type Result<T> = std::result::Result<T, String>;

/// Takes tokens `(1, length)` and how many came before them, gives the logits of the last.
pub type Forward = Box<dyn FnMut(&Tensor, usize) -> candle_core::Result<Tensor>>;

/// A model out of its config.json and its weights.
pub type Build = fn(&Json, VarBuilder<'static>) -> Result<Forward>;

fn config<T: DeserializeOwned>(json: &Json) -> Result<T> {
    serde_json::from_value(json.clone()).map_err(|error| error.to_string())
}

fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// One that keeps its cache within itself.
macro_rules! builds {
    ($name:ident, $config:ty, |$c:ident, $weights:ident| $new:expr) => {
        pub fn $name(json: &Json, $weights: VarBuilder<'static>) -> Result<Forward> {
            let $c: $config = config(json)?;
            let mut model = $new.map_err(|error| first_line(&error))?;
            Ok(Box::new(move |tokens, before| model.forward(tokens, before)))
        }
    };
}

builds!(mistral, upstream::mistral::Config, |c, w| upstream::mistral::Model::new(&c, w));
builds!(mixtral, upstream::mixtral::Config, |c, w| upstream::mixtral::Model::new(&c, w));
builds!(qwen2, upstream::qwen2::Config, |c, w| upstream::qwen2::ModelForCausalLM::new(&c, w));
builds!(qwen3, upstream::qwen3::Config, |c, w| upstream::qwen3::ModelForCausalLM::new(&c, w));
builds!(qwen3_moe, upstream::qwen3_moe::Config, |c, w| {
    upstream::qwen3_moe::ModelForCausalLM::new(&c, w)
});
builds!(gemma2, upstream::gemma2::Config, |c, w| upstream::gemma2::Model::new(false, &c, w));
builds!(gemma3, upstream::gemma3::Config, |c, w| upstream::gemma3::Model::new(false, &c, w));
builds!(phi3, upstream::phi3::Config, |c, w| upstream::phi3::Model::new(&c, w));
builds!(olmo2, upstream::olmo2::Config, |c, w| upstream::olmo2::Model::new(&c, w));
builds!(glm4, upstream::glm4_new::Config, |c, w| upstream::glm4_new::ModelForCausalLM::new(&c, w));
builds!(smollm3, upstream::smol::smollm3::Config, |c, w| {
    upstream::smol::smollm3::ModelForCausalLM::new(&c, w)
});
builds!(deepseek2, upstream::deepseek2::DeepSeekV2Config, |c, w| {
    upstream::deepseek2::DeepSeekV2::new(&c, w)
});

pub fn llama(json: &Json, weights: VarBuilder<'static>) -> Result<Forward> {
    use upstream::llama::{Cache, Llama, LlamaConfig};
    let config = config::<LlamaConfig>(json)?.into_config(false);
    let cache = Cache::new(true, weights.dtype(), &config, &Device::Cpu);
    let mut cache = cache.map_err(|error| first_line(&error))?;
    let model = Llama::load(weights, &config).map_err(|error| first_line(&error))?;
    Ok(Box::new(move |tokens, before| model.forward(tokens, before, &mut cache)))
}

pub fn granite(json: &Json, weights: VarBuilder<'static>) -> Result<Forward> {
    use upstream::granite::{Cache, Granite, GraniteConfig};
    let config = config::<GraniteConfig>(json)?.into_config(false);
    let cache = Cache::new(true, weights.dtype(), &config, &Device::Cpu);
    let mut cache = cache.map_err(|error| first_line(&error))?;
    let model = Granite::load(weights, &config).map_err(|error| first_line(&error))?;
    Ok(Box::new(move |tokens, before| model.forward(tokens, before, &mut cache)))
}
