# What is oneDNN's alone; the tables' suites compare its rows with the reference.
if(FOURFOLD_WITH_ONEDNN)
  fourfold_test(kernels_onednn_test
    SOURCES onednn_test.cc
    PRIVATE fourfold_kernels fourfold_kernels_onednn)

  # The same once for each kind of processor that this one can pretend to be.
  foreach(isa AVX512_CORE AVX2)
    add_test(NAME kernels_onednn_test_${isa} COMMAND kernels_onednn_test)
    set_tests_properties(kernels_onednn_test_${isa} PROPERTIES
      ENVIRONMENT ONEDNN_MAX_CPU_ISA=${isa} TIMEOUT 300)
  endforeach()
endif()
