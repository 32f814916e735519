//! Tables and documents from records and assessments.
