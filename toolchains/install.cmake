# Rules of `cmake --install`: installs the programs, and the libraries for programs of other projects as the package
# Tidegate:
#
#   find_package(Tidegate REQUIRED COMPONENTS client)    Tidegate::client        the C++20 client
#   find_package(Tidegate REQUIRED COMPONENTS device)    Tidegate::device        the C99 device client, without a port
#                                                        Tidegate::device_posix  the same with its POSIX port
#
# Components of the installation: programs, development.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS tidegate-broker tidegate-bridge tidegate tidegate-sensor COMPONENT programs)
install(FILES broker/main/tidegate-broker.example.toml bridge/tidegate-bridge.example.toml
        DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT programs)

# tidegate_export(SET NAME TARGET): installs the library TARGET in the export set SET as Tidegate::NAME.
function(tidegate_export set name target)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  add_library(Tidegate::${name} ALIAS ${target})
  install(TARGETS ${target} EXPORT Tidegate-${set} COMPONENT development)
endfunction()
tidegate_export(device wire tidegate_wire)
tidegate_export(device device tidegate_firmware)
tidegate_export(device device_posix tidegate_firmware_posix)
tidegate_export(client base tidegate_base)
tidegate_export(client model tidegate_model)
tidegate_export(client client tidegate_client)
# The client's headers use coroutines.
target_compile_features(tidegate_base PUBLIC cxx_std_20)

install(DIRECTORY firmware/include/tidegate DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
# The headers that an application includes. They are installed under the same paths as in the repository.
set(TIDEGATE_CLIENT_HEADERS
  broker/base/bytes.hpp broker/base/error.hpp broker/model/ids.hpp broker/model/message.hpp
  broker/model/record_batch.hpp client/connection.hpp client/connection_part.hpp client/consuming.hpp
  client/defining.hpp client/publishing.hpp client/reading.hpp client/values.hpp)
foreach(header ${TIDEGATE_CLIENT_HEADERS})
  cmake_path(GET header PARENT_PATH folder)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tidegate/${folder} COMPONENT development)
endforeach()

set(TIDEGATE_PACKAGE ${CMAKE_INSTALL_LIBDIR}/cmake/Tidegate)
foreach(set device client)
  install(EXPORT Tidegate-${set} NAMESPACE Tidegate:: DESTINATION ${TIDEGATE_PACKAGE} COMPONENT development)
endforeach()
configure_package_config_file(toolchains/TidegateConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/TidegateConfig.cmake
                              INSTALL_DESTINATION ${TIDEGATE_PACKAGE})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/TidegateConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/TidegateConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/TidegateConfigVersion.cmake
        DESTINATION ${TIDEGATE_PACKAGE} COMPONENT development)
