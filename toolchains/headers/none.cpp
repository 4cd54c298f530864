// Empty: CMake needs a source file in a target of precompiled headers.
