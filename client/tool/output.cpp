#include "client/tool/output.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace tidegate::tool {

void print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!written) throw std::system_error(errno, std::generic_category(), "cannot write to standard output");
}

void print_line(std::string_view line) {
  std::string text(line);
  text += '\n';
  print(text);
}

void print_json(const boost::json::value& value) { print_line(boost::json::serialize(value)); }

void remark(std::string_view line) { print_aside(fmt::format("tidegate: {}\n", line)); }

void print_aside(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace tidegate::tool
