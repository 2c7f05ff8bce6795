# Kernel programs: bpf/<family>.bpf.c → object (clang) → one linked object → one skeleton header (bpftool), in the build
# tree: probes.skel.h, struct probes_bpf.
find_program(BPF_CLANG NAMES clang clang-14 REQUIRED)
find_program(BPFTOOL bpftool PATHS /usr/sbin /usr/local/sbin REQUIRED)

set(BPF_ARCH x86)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(BPF_ARCH arm64)
endif()

add_library(wiretally_bpf INTERFACE)
target_include_directories(wiretally_bpf SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/bpf)
file(GLOB BPF_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bpf/*.bpf.c)
file(GLOB BPF_HEADERS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bpf/*.h ${CMAKE_SOURCE_DIR}/bpf/lib/*.h)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/bpf)
set(BPF_OBJECTS "")
foreach(source ${BPF_SOURCES})
  get_filename_component(name ${source} NAME_WE)
  set(object ${CMAKE_BINARY_DIR}/bpf/${name}.bpf.o)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${BPF_CLANG} -target bpf -D__TARGET_ARCH_${BPF_ARCH} -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter
            -I${CMAKE_SOURCE_DIR}/include -I${CMAKE_SOURCE_DIR}/bpf -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
            -c ${source} -o ${object}
    DEPENDS ${source} ${BPF_HEADERS} ${CMAKE_SOURCE_DIR}/include/wiretally/abi.h
    COMMENT "BPF ${name}")
  list(APPEND BPF_OBJECTS ${object})
endforeach()
set(BPF_SKELETON ${CMAKE_BINARY_DIR}/bpf/probes.skel.h)
if(BPF_OBJECTS)
  add_custom_command(
    OUTPUT ${BPF_SKELETON}
    COMMAND ${BPFTOOL} gen object ${CMAKE_BINARY_DIR}/bpf/probes.linked.o ${BPF_OBJECTS}
    COMMAND ${BPFTOOL} gen skeleton ${CMAKE_BINARY_DIR}/bpf/probes.linked.o name probes_bpf > ${BPF_SKELETON}
    DEPENDS ${BPF_OBJECTS}
    COMMENT "BPF skeleton")
  add_custom_target(wiretally_bpf_skeletons DEPENDS ${BPF_SKELETON})
  add_dependencies(wiretally_bpf wiretally_bpf_skeletons)
endif()
