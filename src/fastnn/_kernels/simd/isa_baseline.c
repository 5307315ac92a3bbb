#define LEVEL baseline
#define LEVEL_BASELINE 1
#define LANES 4
#include "body.h"
