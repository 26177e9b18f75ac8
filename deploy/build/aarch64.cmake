# Cross-compiles for 64-bit ARM on Debian, without a sysroot: libraries are where multiarch puts them,
# /usr/lib/aarch64-linux-gnu. Programs that the build or ctest starts run under qemu-user.
#   cmake -S . -B BUILD --toolchain deploy/build/aarch64.cmake
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

# The cross compiler's package has the C and C++ libraries below /usr/aarch64-linux-gnu.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
