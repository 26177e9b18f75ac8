# Cross-compiles for 64-bit ARM on Debian: the cross compiler's package, and for all but kernels/ the
# libraries that deploy/build/sysroot.sh unpacks. Programs that the build or ctest starts run under
# qemu-user; QEMU_CPU in the environment chooses the CPU: cortex-a53, neoverse-n1, max, ...
#   cmake --preset aarch64
#   cmake -S . -B BUILD --toolchain deploy/build/aarch64.cmake -DFOURFOLD_KERNELS_ONLY=ON
# FOURFOLD_SYSROOT names another root folder of Debian arm64 with the -dev packages.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

# What CMake compiles to try things out is configured by this file, too, and must take the same path.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES FOURFOLD_KERNELS_ONLY FOURFOLD_SYSROOT)
if(FOURFOLD_KERNELS_ONLY)
  # The cross compiler's package has the C and C++ libraries below /usr/aarch64-linux-gnu.
  set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
  return()
endif()

if(NOT FOURFOLD_SYSROOT)
  execute_process(
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/sysroot.sh --prefix arm64
    OUTPUT_VARIABLE FOURFOLD_SYSROOT OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()
if(NOT EXISTS ${FOURFOLD_SYSROOT}/usr/include)
  message(FATAL_ERROR "no arm64 libraries in ${FOURFOLD_SYSROOT}: run deploy/build/packages.sh --aarch64")
endif()
set(CMAKE_SYSROOT ${FOURFOLD_SYSROOT})
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L ${CMAKE_SYSROOT})

# Libraries, headers and packages of the target; protoc and gRPC's plugin of this machine.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_DIR} "")
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR}
  ${CMAKE_SYSROOT}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig)
