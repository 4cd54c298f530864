// For tests: plays the broker. It listens on loopback, expects frames one by one and answers as the test says.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>

#include "client/values.hpp"
#include "firmware/wire/frame.h"
#include "firmware/wire/link.pb.h"

namespace tidegate::client {

class scripted_peer {
 public:
  template <class T = void>
  using awaitable = boost::asio::awaitable<T>;

  explicit scripted_peer(boost::asio::io_context& context);

  endpoint where() const;

  awaitable<> accept();
  // Accepts a connection, reads Connect and answers Connected.
  awaitable<> welcome(std::uint32_t heartbeat_seconds = 30, std::uint32_t largest_frame = 0);
  // Reads the next frame, which has to be of this kind. Views in the message are valid until the next frame is read.
  template <class Message>
  awaitable<Message> take(tg_member member, const pb_msgdesc_t* fields) {
    const tg_frame frame = co_await take_frame();
    expect_member(frame, member);
    Message message = {};
    if (!tg_frame_decode(&frame, fields, &message)) throw std::runtime_error("malformed frame from the client");
    co_return message;
  }
  // Reads the next frame, which has to be this request. Returns its correlation, the first field of every request.
  awaitable<std::uint32_t> take_request(tg_member member);
  awaitable<> give(tg_member member, const pb_msgdesc_t* fields, const void* message);
  awaitable<> give_bytes(std::string bytes);
  awaitable<> give_done(std::uint32_t correlation);
  awaitable<> give_confirm(std::uint64_t id, bool multiple);
  awaitable<> give_deliveries(std::uint64_t first_tag, std::size_t count);
  // Waits until the client closes the connection.
  awaitable<> hear_end();
  void close() { socket_.close(); }

 private:
  awaitable<tg_frame> take_frame();
  static void expect_member(const tg_frame& frame, tg_member member);

  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::ip::tcp::socket socket_;
  std::string buffer_;
  std::size_t taken_ = 0;  // size of the last frame, which is at the front of buffer_
};

inline tg_bytes wire_text(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string_view plain(const tg_bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data), bytes.size}; }

}  // namespace tidegate::client
