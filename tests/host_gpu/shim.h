// The device on a host: a block's threads run one after the other in each phase, blocks one after the other.
// With BACKWARDS threads and blocks run in the opposite order: what is right in both has no races between phases.
#include <cstdlib>
#include <utility>

struct uint4 {
    unsigned x, y, z, w;
};

struct Index {
    unsigned x;
};

static Index threadIdx, blockIdx, gridDim;

#define DEVICE static inline
#define CALLED static
#define SHARED alignas(16) static
#define UNROLL
#define KEEP_LOOP
#define BARRIER
#ifdef BACKWARDS
#define PHASE for (threadIdx.x = THREADS; threadIdx.x-- > 0;)
#else
#define PHASE for (threadIdx.x = 0; threadIdx.x < THREADS; threadIdx.x++)
#endif

static inline unsigned __brev(unsigned x) {
    unsigned result = 0;
    for (int i = 0; i < 32; i++) result |= (x >> i & 1) << (31 - i);
    return result;
}

static void overflow() { abort(); }

template <class... A, size_t... I>
static void run_blocks(void (*kernel)(A...), unsigned blocks, void **arguments, std::index_sequence<I...>) {
    gridDim.x = blocks;
    for (unsigned b = 0; b < blocks; b++) {
#ifdef BACKWARDS
        blockIdx.x = blocks - 1 - b;
#else
        blockIdx.x = b;
#endif
        kernel(*(A *)arguments[I]...);
    }
}

template <class... A>
static void run_blocks(void (*kernel)(A...), unsigned blocks, void **arguments) {
    run_blocks(kernel, blocks, arguments, std::index_sequence_for<A...>());
}

template <class... A>
static unsigned count_arguments(void (*)(A...)) {
    return sizeof...(A);
}

#define KERNEL(name, ...)                                                                                  \
    static void name(__VA_ARGS__);                                                                         \
    extern "C" void launch_##name(unsigned blocks, void **arguments) { run_blocks(name, blocks, arguments); } \
    extern "C" unsigned arguments_##name() { return count_arguments(name); }                                \
    static void name(__VA_ARGS__)
