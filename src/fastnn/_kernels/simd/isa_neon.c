#define LEVEL neon
#define LEVEL_NEON 1
#define LANES 4
#include "body.h"
