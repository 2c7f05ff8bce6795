# Kernel programs: bpf/<name>.bpf.c → object (clang) → skeleton header (bpftool), all in the build tree.
find_program(BPF_CLANG NAMES clang clang-14 REQUIRED)
find_program(BPFTOOL bpftool PATHS /usr/sbin /usr/local/sbin REQUIRED)

add_library(wiretally_bpf INTERFACE)
target_include_directories(wiretally_bpf SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/bpf)
file(GLOB BPF_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bpf/*.bpf.c)
file(GLOB BPF_HEADERS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bpf/*.h ${CMAKE_SOURCE_DIR}/bpf/lib/*.h)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/bpf)
set(BPF_SKELETONS "")
foreach(source ${BPF_SOURCES})
  get_filename_component(name ${source} NAME_WE)
  set(object ${CMAKE_BINARY_DIR}/bpf/${name}.bpf.o)
  set(skeleton ${CMAKE_BINARY_DIR}/bpf/${name}.skel.h)
  add_custom_command(
    OUTPUT ${skeleton}
    COMMAND ${BPF_CLANG} -target bpf -D__TARGET_ARCH_x86 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter
            -I${CMAKE_SOURCE_DIR}/include -I${CMAKE_SOURCE_DIR}/bpf -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
            -c ${source} -o ${object}
    COMMAND ${BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${skeleton}
    DEPENDS ${source} ${BPF_HEADERS} ${CMAKE_SOURCE_DIR}/include/wiretally/abi.h
    COMMENT "BPF ${name}")
  list(APPEND BPF_SKELETONS ${skeleton})
endforeach()
add_custom_target(wiretally_bpf_skeletons DEPENDS ${BPF_SKELETONS})
add_dependencies(wiretally_bpf wiretally_bpf_skeletons)
