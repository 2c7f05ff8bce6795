# A room is one static library under agent/. Its include paths are include/, agent/base and its own folder: an include of
# another room does not compile, and an upcall does not link (each room's unit tests link that room and base alone).
set(WIRETALLY_WARNINGS -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 warns falsely about std::string in optimised builds (GCC bug 105329).
  list(APPEND WIRETALLY_WARNINGS -Wno-restrict)
  set(WIRETALLY_NO_FALSE_WARNINGS -Wno-restrict)
endif()
set(WIRETALLY_ROOMS "" CACHE INTERNAL "")

# The agent of a release build is optimised across rooms (a twentieth faster). The libraries hold plain code as well, which
# the tests link: that is quicker.
set(WIRETALLY_LTO "")
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(WIRETALLY_LTO -flto=auto -ffat-lto-objects)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    # g++ clears and copies structs of a hundred bytes with "rep stos" and "rep movs", whose start costs more than the
    # whole: events of the pipeline are such structs.
    list(APPEND WIRETALLY_LTO -mmemset-strategy=vector_loop:512:noalign,libcall:-1:noalign
         -mmemcpy-strategy=vector_loop:512:noalign,libcall:-1:noalign)
  endif()
endif()

function(wiretally_room folder)
  cmake_parse_arguments(ROOM "" "" "LIBRARIES" ${ARGN})
  get_filename_component(name ${folder} NAME)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/agent/${folder}/*.cpp)
  if(NOT sources)
    return()
  endif()
  set(target room_${name})
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/agent/base
                                              ${CMAKE_SOURCE_DIR}/agent/${folder})
  target_compile_options(${target} PRIVATE ${WIRETALLY_WARNINGS} ${WIRETALLY_LTO})
  target_link_libraries(${target} PUBLIC ${ROOM_LIBRARIES})
  if(NOT name STREQUAL base)
    target_link_libraries(${target} PUBLIC room_base)
  endif()
  set(WIRETALLY_ROOMS ${WIRETALLY_ROOMS} ${target} CACHE INTERNAL "")
endfunction()

# agent/app: everything but main.cpp is a library, so that the tests drive the same pipeline as the binary.
function(wiretally_app)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/agent/app/*.cpp)
  list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/agent/app/main.cpp)
  add_library(app STATIC ${sources})
  target_include_directories(app PUBLIC ${CMAKE_SOURCE_DIR}/agent/app)
  target_compile_options(app PRIVATE ${WIRETALLY_WARNINGS} ${WIRETALLY_LTO})
  target_link_libraries(app PUBLIC ${WIRETALLY_ROOMS} yaml-cpp)
  execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} rev-parse --short=12 HEAD
                  OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT revision)
    set(revision unknown)
  endif()
  set_source_files_properties(${CMAKE_SOURCE_DIR}/agent/app/version.cpp PROPERTIES COMPILE_DEFINITIONS
    "WIRETALLY_VERSION=\"${PROJECT_VERSION}\";WIRETALLY_REVISION=\"${revision}\"")
  add_executable(wiretally ${CMAKE_SOURCE_DIR}/agent/app/main.cpp)
  target_compile_options(wiretally PRIVATE ${WIRETALLY_WARNINGS} ${WIRETALLY_LTO})
  target_link_options(wiretally PRIVATE ${WIRETALLY_LTO})
  target_link_libraries(wiretally PRIVATE app)
endfunction()
