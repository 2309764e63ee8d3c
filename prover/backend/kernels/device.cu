// What kernels need of the machine. Included first; on a host, `shim.h` of the tests stands before it and defines the
// same names for one thread at a time.
//
// A kernel is a sequence of phases with barriers between them. What a thread knows at the end of a phase it must have
// written to memory: only values that are the same in all threads of a block live outside phases. No phase returns.
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#ifdef __CUDACC_RTC__
#define DEVICE static __device__ __forceinline__
#define CALLED static __device__ __noinline__
#define KERNEL(name, ...) extern "C" __global__ void __launch_bounds__(THREADS) name(__VA_ARGS__)
#define SHARED __shared__ __align__(16)  // for accesses of sixteen bytes
#define PHASE
#define BARRIER __syncthreads()
#define UNROLL _Pragma("unroll")
#define KEEP_LOOP _Pragma("unroll 1")
#endif

// Threads of a block, in all kernels.
#define THREADS 128

// The index of this thread in the grid, inside a phase.
DEVICE i64 thread_index() { return (i64)blockIdx.x * THREADS + threadIdx.x; }

// The threads of the grid.
DEVICE i64 thread_count() { return (i64)gridDim.x * THREADS; }
