# find_package(pinhole) gives the targets
#   pinhole::pinhole  the shared library, or the static one if there is no shared one
#   pinhole::static   the static library
#   pinhole::cpp      pinhole::pinhole with the C++17 header pinhole.hpp
# This file works where it was installed, and from the source tree with the libraries that cargo built:
#   cmake -Dpinhole_DIR=.../ffi/cmake [-DPINHOLE_LIBRARY_DIR=.../target/release]
get_filename_component(_pinhole_here "${CMAKE_CURRENT_LIST_DIR}" ABSOLUTE)

if(EXISTS "${_pinhole_here}/../include/pinhole.h")
  # The source tree.
  set(_pinhole_include "${_pinhole_here}/../include")
  set(_pinhole_include_cpp "${_pinhole_here}/../../bindings/cpp/include")
  set(_pinhole_lib "${_pinhole_here}/../../target/release")
  set(_pinhole_names pinhole_ffi)
else()
  # <prefix>/lib/cmake/pinhole (install.sh) or <prefix>/share/pinhole/cmake (cargo-c).
  get_filename_component(_pinhole_prefix "${_pinhole_here}/../../.." ABSOLUTE)
  set(_pinhole_include "${_pinhole_prefix}/include")
  set(_pinhole_include_cpp "${_pinhole_prefix}/include")
  set(_pinhole_lib "${_pinhole_prefix}/lib" "${_pinhole_prefix}/lib64"
                   "${_pinhole_prefix}/lib/${CMAKE_LIBRARY_ARCHITECTURE}")
  set(_pinhole_names pinhole)
endif()
if(PINHOLE_LIBRARY_DIR)
  set(_pinhole_lib "${PINHOLE_LIBRARY_DIR}")
endif()

set(_pinhole_shared_names)
set(_pinhole_static_names)
foreach(_pinhole_name IN LISTS _pinhole_names)
  list(APPEND _pinhole_shared_names "${CMAKE_SHARED_LIBRARY_PREFIX}${_pinhole_name}${CMAKE_SHARED_LIBRARY_SUFFIX}")
  list(APPEND _pinhole_static_names "${CMAKE_STATIC_LIBRARY_PREFIX}${_pinhole_name}${CMAKE_STATIC_LIBRARY_SUFFIX}")
endforeach()
find_library(PINHOLE_SHARED NAMES ${_pinhole_shared_names} PATHS ${_pinhole_lib} NO_DEFAULT_PATH)
find_library(PINHOLE_STATIC NAMES ${_pinhole_static_names} PATHS ${_pinhole_lib} NO_DEFAULT_PATH)
mark_as_advanced(PINHOLE_SHARED PINHOLE_STATIC)

if(NOT PINHOLE_SHARED AND NOT PINHOLE_STATIC)
  set(pinhole_FOUND FALSE)
  set(pinhole_NOT_FOUND_MESSAGE "no pinhole library in ${_pinhole_lib}: build it, or set PINHOLE_LIBRARY_DIR")
  return()
endif()

if(PINHOLE_STATIC AND NOT TARGET pinhole::static)
  # What Rust's standard library needs. Windows names other libraries: `cargo rustc -- --print native-static-libs`.
  set(_pinhole_system)
  if(UNIX)
    find_package(Threads REQUIRED)
    set(_pinhole_system Threads::Threads m ${CMAKE_DL_LIBS})
  elseif(WIN32)
    set(_pinhole_system kernel32 ntdll userenv ws2_32 dbghelp)
  endif()
  add_library(pinhole::static STATIC IMPORTED)
  set_target_properties(pinhole::static PROPERTIES
    IMPORTED_LOCATION "${PINHOLE_STATIC}"
    INTERFACE_INCLUDE_DIRECTORIES "${_pinhole_include}"
    INTERFACE_LINK_LIBRARIES "${_pinhole_system}")
endif()

if(NOT TARGET pinhole::pinhole)
  if(PINHOLE_SHARED)
    # Libraries that cargo built have no soname: without this the linker would record their path.
    add_library(pinhole::pinhole SHARED IMPORTED)
    set_target_properties(pinhole::pinhole PROPERTIES
      IMPORTED_LOCATION "${PINHOLE_SHARED}"
      INTERFACE_INCLUDE_DIRECTORIES "${_pinhole_include}")
    if(_pinhole_names STREQUAL "pinhole_ffi")
      set_target_properties(pinhole::pinhole PROPERTIES IMPORTED_NO_SONAME TRUE)
    endif()
  else()
    add_library(pinhole::pinhole INTERFACE IMPORTED)
    set_target_properties(pinhole::pinhole PROPERTIES INTERFACE_LINK_LIBRARIES pinhole::static)
  endif()
endif()

if(EXISTS "${_pinhole_include_cpp}/pinhole.hpp" AND NOT TARGET pinhole::cpp)
  add_library(pinhole::cpp INTERFACE IMPORTED)
  set_target_properties(pinhole::cpp PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${_pinhole_include_cpp}"
    INTERFACE_COMPILE_FEATURES cxx_std_17
    INTERFACE_LINK_LIBRARIES pinhole::pinhole)
endif()
