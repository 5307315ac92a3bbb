#define LEVEL avx512
#define LEVEL_AVX512 1
#define LANES 16
#include "body.h"
