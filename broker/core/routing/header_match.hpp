// Bindings of headers exchanges: a binding's arguments say which headers a message needs. The argument `x-match` is
// `all` (the default), `any`, `all-with-x` or `any-with-x`; the first two ignore arguments whose name starts with `x-`.
// An argument without a value asks for a header of its name only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker/model/field_table.hpp"
#include "broker/model/message.hpp"

namespace tidegate::core::routing {

// The headers of one message: those of its properties, then its plain ones, whose values are texts.
std::vector<table_field> headers_of(const message_view& message);

class header_match {
 public:
  // Errors: the arguments do not decode; x-match has another value.
  static result<header_match> parse(std::string_view arguments);
  // Returns whether a message with these headers matches.
  bool matches(const std::vector<table_field>& headers) const;

 private:
  std::string arguments_;
  bool needs_all_ = true;
  bool counts_x_ = false;
};

}  // namespace tidegate::core::routing
