//! From a model id to a decoder: sources, families, quantisation, tokenizers.
