// The source of the bodies of published messages: a text, a file, lines of standard input, or generated bodies.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string_view>

#include "client/tool/arguments.hpp"

namespace tidegate::tool {

class body_source {
 public:
  virtual ~body_source() = default;
  // Returns the next body; none at the end. The view is valid until the next call.
  virtual boost::asio::awaitable<std::optional<std::string_view>> next() = 0;
};

// Makes the source that the arguments name. Throws std::runtime_error if a file cannot be read or is too large.
std::unique_ptr<body_source> make_body_source(boost::asio::any_io_executor executor,
                                              const publish_arguments& arguments);

}  // namespace tidegate::tool
