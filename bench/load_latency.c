#include "bench/load.h"
int load_latency(int argc, char **argv) { (void)argc; (void)argv; return 2; }
