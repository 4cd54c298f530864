#include "client/scripted_peer.hpp"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <stdexcept>

#include "broker/base/limits.hpp"

namespace tidegate::client {

namespace asio = boost::asio;
using asio::ip::tcp;

scripted_peer::scripted_peer(asio::io_context& context)
    : acceptor_(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), socket_(context) {}

endpoint scripted_peer::where() const { return {"127.0.0.1", acceptor_.local_endpoint().port()}; }

asio::awaitable<void> scripted_peer::accept() {
  buffer_.clear();
  taken_ = 0;
  socket_ = co_await acceptor_.async_accept(asio::use_awaitable);
}

asio::awaitable<void> scripted_peer::welcome(std::uint32_t heartbeat_seconds, std::uint32_t largest_frame) {
  co_await accept();
  const std::uint32_t correlation = co_await take_request(TG_CONNECT);
  const tg_Connected answer{.correlation = correlation,
                            .server = wire_text("scripted"),
                            .heartbeat_seconds = heartbeat_seconds,
                            .largest_frame = largest_frame,
                            .gateway = wire_text("gateway"),
                            .incarnation = wire_text("incarnation"),
                            .producer_sequence = 41};
  co_await give(TG_CONNECTED, tg_Connected_fields, &answer);
}

asio::awaitable<tg_frame> scripted_peer::take_frame() {
  buffer_.erase(0, taken_);
  tg_frame frame = {};
  while (tg_frame_split(reinterpret_cast<const std::uint8_t*>(buffer_.data()), buffer_.size(), limits::frame_bytes,
                        &frame) != TG_SPLIT_READY) {
    char piece[4096];
    const std::size_t size = co_await socket_.async_read_some(asio::buffer(piece), asio::use_awaitable);
    buffer_.append(piece, size);
  }
  taken_ = frame.size;
  co_return frame;
}

void scripted_peer::expect_member(const tg_frame& frame, tg_member member) {
  if (frame.member == static_cast<std::uint32_t>(member)) return;
  throw std::runtime_error(fmt::format("member {} instead of {}", frame.member, static_cast<int>(member)));
}

asio::awaitable<std::uint32_t> scripted_peer::take_request(tg_member member) {
  // tg_Ping has a single number, so decoding a request as tg_Ping reads the request's first field and skips the others.
  const auto request = co_await take<tg_Ping>(member, tg_Ping_fields);
  co_return request.ticks;
}

asio::awaitable<void> scripted_peer::give(tg_member member, const pb_msgdesc_t* fields, const void* message) {
  std::string bytes(64 * limits::kib, '\0');
  const std::size_t size =
      tg_frame_encode(reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size(), member, fields, message);
  if (size == 0) throw std::runtime_error("a frame that the peer cannot encode");
  bytes.resize(size);
  co_await give_bytes(std::move(bytes));
}

asio::awaitable<void> scripted_peer::give_bytes(std::string bytes) {
  co_await asio::async_write(socket_, asio::buffer(bytes), asio::use_awaitable);
}

asio::awaitable<void> scripted_peer::give_done(std::uint32_t correlation) {
  tg_Done done{};
  done.correlation = correlation;
  done.partitions = 4;
  done.message_count = 12;
  co_await give(TG_DONE, tg_Done_fields, &done);
}

asio::awaitable<void> scripted_peer::give_confirm(std::uint64_t id, bool multiple) {
  const tg_Confirm confirm{.id = id, .multiple = multiple, .code = tg_Code_OK, .text = {}};
  co_await give(TG_CONFIRM, tg_Confirm_fields, &confirm);
}

asio::awaitable<void> scripted_peer::give_deliveries(std::uint64_t first_tag, std::size_t count) {
  for (std::uint64_t tag = first_tag; tag < first_tag + count; ++tag) {
    const std::string body = fmt::format("body {}", tag);
    tg_Deliver message = {};
    message.consumer = 1;
    message.tag = tag;
    message.routing_key = wire_text("q");
    message.body = wire_text(body);
    co_await give(TG_DELIVER, tg_Deliver_fields, &message);
  }
}

asio::awaitable<void> scripted_peer::hear_end() {
  boost::system::error_code failure;
  char piece[4096];
  while (!failure) {
    co_await socket_.async_read_some(asio::buffer(piece), asio::redirect_error(asio::use_awaitable, failure));
  }
}

}  // namespace tidegate::client
