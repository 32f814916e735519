// All kernels, as one module.
#include "attention.cu"
#include "fill.cu"
#include "matvec.cu"
#include "norm.cu"
#include "rope.cu"
#include "rows.cu"
