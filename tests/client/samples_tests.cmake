fourfold_test(samples_test
  SOURCES
    samples_image_test.cc
    samples_npy_test.cc
    samples_npz_test.cc
    samples_source_test.cc
  PRIVATE
    fourfold::client_samples)
