//! Criterion benches only: see the files under `benches/benches/`.
