# FOURFOLD_ONE_PROGRAM: all programs in one file `fourfold`, and links to it under their names. They have
# most of their code in common: apart they would take three times the room in an image.

get_property(programs GLOBAL PROPERTY FOURFOLD_PROGRAMS)
get_property(libraries GLOBAL PROPERTY FOURFOLD_PROGRAM_LIBRARIES)
list(REMOVE_DUPLICATES libraries)

set(declarations "")
set(rows "")
set(objects "")
set(links "")
foreach(program IN LISTS programs)
  string(MAKE_C_IDENTIFIER ${program}_main entry)
  string(APPEND declarations "int ${entry}(int argc, char** argv);\n")
  string(APPEND rows "    {\"${program}\", ${entry}},\n")
  list(APPEND objects $<TARGET_OBJECTS:${program}_main>)
  if(NOT program STREQUAL fourfold)
    list(APPEND links COMMAND ${CMAKE_COMMAND} -E create_symlink fourfold ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${program})
    add_custom_target(${program} DEPENDS fourfold)
  endif()
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/one_program.cc.in ${PROJECT_BINARY_DIR}/one_program.cc @ONLY)

add_executable(fourfold ${PROJECT_BINARY_DIR}/one_program.cc ${objects})
target_link_libraries(fourfold PRIVATE fourfold_options ${libraries})
add_custom_command(TARGET fourfold POST_BUILD ${links} VERBATIM)
