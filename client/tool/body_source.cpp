#include "client/tool/body_source.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <fstream>
#include <iostream>
#include <system_error>

#include "broker/base/limits.hpp"

namespace tidegate::tool {

namespace asio = boost::asio;
using body = std::optional<std::string_view>;

namespace {

class repeated_body final : public body_source {
 public:
  repeated_body(std::string text, std::uint64_t count) : text_(std::move(text)), left_(count) {}

  asio::awaitable<body> next() override {
    if (left_ == 0) co_return std::nullopt;
    --left_;
    co_return text_;
  }

 private:
  std::string text_;
  std::uint64_t left_;
};

// Bodies that start with a number, from 1 up, so that a reader can see which are missing. The rest is filled with dots.
class generated_bodies final : public body_source {
 public:
  generated_bodies(std::size_t size, std::uint64_t count) : text_(size, '.'), count_(count) {}

  asio::awaitable<body> next() override {
    if (made_ == count_) co_return std::nullopt;
    const std::string number = fmt::format("{} ", ++made_);
    std::copy_n(number.begin(), std::min(number.size(), text_.size()), text_.begin());
    co_return text_;
  }

 private:
  std::string text_;
  std::uint64_t count_;
  std::uint64_t made_ = 0;
};

error too_long() {
  return {errc::too_large, fmt::format("a body is over the limit of {} bytes", limits::body_bytes), "body"};
}

// Lines of a standard input that can be awaited, so that the connection's heartbeat does not have to wait for a line.
class piped_lines final : public body_source {
 public:
  explicit piped_lines(asio::posix::stream_descriptor input) : input_(std::move(input)) {}

  asio::awaitable<body> next() override {
    text_.erase(0, taken_);
    taken_ = 0;
    auto room = asio::dynamic_buffer(text_, limits::body_bytes + 1);
    const auto [failure, size] =
        co_await asio::async_read_until(input_, room, '\n', asio::as_tuple(asio::use_awaitable));
    if (failure == asio::error::not_found) throw error_exception(too_long());
    if (failure == asio::error::operation_aborted) throw boost::system::system_error(failure);
    if (failure && failure != asio::error::eof) throw std::system_error(failure, "reading standard input");
    if (failure && text_.empty()) co_return std::nullopt;
    taken_ = failure ? text_.size() : size;
    co_return std::string_view(text_).substr(0, failure ? taken_ : taken_ - 1);
  }

 private:
  asio::posix::stream_descriptor input_;
  std::string text_;
  std::size_t taken_ = 0;
};

class file_lines final : public body_source {
 public:
  asio::awaitable<body> next() override {
    if (!std::getline(std::cin, line_)) co_return std::nullopt;
    if (line_.size() > limits::body_bytes) throw error_exception(too_long());
    co_return line_;
  }

 private:
  std::string line_;
};

// epoll accepts pipes, sockets and terminals. It refuses regular files, but reading these does not wait anyway.
std::unique_ptr<body_source> standard_input_lines(asio::any_io_executor executor) {
  asio::posix::stream_descriptor input(std::move(executor));
  boost::system::error_code refused;
  const int copy = ::dup(STDIN_FILENO);
  if (copy < 0) throw std::system_error(errno, std::generic_category(), "standard input");
  input.assign(copy, refused);
  if (!refused) return std::make_unique<piped_lines>(std::move(input));
  ::close(copy);
  return std::make_unique<file_lines>();
}

std::string read_file(const std::string& name) {
  std::ifstream file;
  if (name != "-") file.open(name, std::ios::binary);
  std::istream& in = name == "-" ? std::cin : file;
  std::string text(limits::body_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (name != "-" && !file.is_open())) {
    throw std::system_error(errno, std::generic_category(), "cannot read " + name);
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > limits::body_bytes) throw error_exception(too_long());
  return text;
}

}  // namespace

std::unique_ptr<body_source> make_body_source(asio::any_io_executor executor, const publish_arguments& arguments) {
  if (arguments.lines) return standard_input_lines(std::move(executor));
  if (arguments.generated_bytes) {
    return std::make_unique<generated_bodies>(*arguments.generated_bytes, arguments.count);
  }
  std::string text = arguments.body ? *arguments.body : read_file(arguments.file);
  return std::make_unique<repeated_body>(std::move(text), arguments.count);
}

}  // namespace tidegate::tool
