# tandem_room(NAME SOURCES… TESTS… LINK… PRIVATE_LINK…): one static library per room, its unit tests beside its sources
# as one executable NAME_test. Tests run from the repository root, so that they find assets/ and tests/goldens/.
function(tandem_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;TESTS;LINK;PRIVATE_LINK" ${ARGN})
  add_library(tandem_${name} STATIC ${ROOM_SOURCES})
  target_include_directories(tandem_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(tandem_${name} PUBLIC ${ROOM_LINK} PRIVATE ${ROOM_PRIVATE_LINK})
  if(ROOM_TESTS)
    tandem_test(${name}_test SOURCES ${ROOM_TESTS} LINK tandem_${name})
  endif()
endfunction()

# tandem_test(NAME SOURCES… LINK…): a GoogleTest executable, registered with ctest as one entry.
function(tandem_test name)
  cmake_parse_arguments(T "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE ${T_LINK} GTest::gtest_main GTest::gmock)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endfunction()
