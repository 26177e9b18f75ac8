# The float and element-wise rows of 64-bit ARM, once for each kind of processor: without and with float16 arithmetic, and
# with all that qemu knows. On ARM itself they all run on the machine's own.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  fourfold_test(kernels_neon_float_test
    SOURCES
      neon_float_test.cc
      neon_rows_test.cc
    PRIVATE fourfold_kernels fourfold_kernels_neon Threads::Threads)
  target_compile_options(kernels_neon_float_test PRIVATE -ffp-contract=off)
  foreach(cpu cortex-a53 neoverse-n1 max)
    add_test(NAME kernels_neon_float_test_${cpu} COMMAND kernels_neon_float_test)
    set_tests_properties(kernels_neon_float_test_${cpu} PROPERTIES ENVIRONMENT QEMU_CPU=${cpu} TIMEOUT 300)
  endforeach()
endif()
