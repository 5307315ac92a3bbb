#define LEVEL avx2
#define LEVEL_AVX2 1
#define LANES 8
#include "body.h"
