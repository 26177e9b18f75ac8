# Writes a C++ source with the page's files as arrays: plain, compressed, and their SHA-256.
#
#   cmake -DOUTPUT=FILE.cc -DGZIP=PROGRAM -DFILES=NAME=PATH,NAME=PATH... -P embed.cmake
#
# PageFiles() of server/http/page_files.h returns them, in the order given.

# One array called `name` with the bytes of `path`.
function(write_array name path)
  file(READ ${path} bytes HEX)
  string(LENGTH "${bytes}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  file(APPEND ${OUTPUT} "constexpr unsigned char ${name}[${size}] = {${bytes}};\n")
endfunction()

file(WRITE ${OUTPUT} "// Written by server/http/page/embed.cmake.\n\n"
  "#include \"server/http/page_files.h\"\n\nnamespace fourfold::http {\nnamespace {\n\n")
set(table "")
set(number 0)
string(REPLACE "," ";" FILES "${FILES}")
foreach(file IN LISTS FILES)
  string(REGEX MATCH "^([^=]+)=(.+)$" matched "${file}")
  if(NOT matched)
    message(FATAL_ERROR "embed.cmake: got \"${file}\", wanted NAME=PATH")
  endif()
  set(name ${CMAKE_MATCH_1})
  set(path ${CMAKE_MATCH_2})
  # Without name and time in its header, so that equal input gives equal bytes.
  execute_process(COMMAND ${GZIP} -9 -n -c INPUT_FILE ${path} OUTPUT_FILE ${OUTPUT}.gz
    COMMAND_ERROR_IS_FATAL ANY)
  write_array(kPlain${number} ${path})
  write_array(kGzip${number} ${OUTPUT}.gz)
  file(SHA256 ${path} sha256)
  string(APPEND table "    {\"${name}\", View(kPlain${number}), View(kGzip${number}),\n     \"${sha256}\"},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(REMOVE ${OUTPUT}.gz)

file(APPEND ${OUTPUT} "
template <size_t size>
absl::string_view View(const unsigned char (&bytes)[size]) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

std::span<const PageFile> PageFiles() {
  static const PageFile kFiles[] = {
${table}  };
  return kFiles;
}

}  // namespace fourfold::http
")
