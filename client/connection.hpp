// A connection to the broker's native port, for C++20 coroutines. One thread: everything runs on the executor given.
//
// Failures are exceptions: tidegate::error_exception for what the broker refused (its code, text and field),
// boost::system::system_error when the connection ends, times out or cannot be made. After the latter the connection
// is closed and open() may be called again. Requests may be made side by side by several coroutines.
//
// What a call refers to (texts, messages) has to live until its coroutine ends. The connection itself may be destroyed
// while coroutines wait in it: they end with operation_aborted, when their executor runs next. It has to be destroyed
// before its executor's context.
//
// GCC 12 copies a braced temporary inside a co_await expression byte by byte, which breaks the strings in it: put
// endpoint, connect_options and the like into a variable first, and await the call with that.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>

#include "client/values.hpp"

namespace tidegate::client {

template <class T = void>
using awaitable = boost::asio::awaitable<T>;

class connection {
 public:
  explicit connection(boost::asio::any_io_executor executor);
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection();

  awaitable<session_info> open(endpoint where, connect_options options);
  // Ends everything that waits, with operation_aborted. Harmless when closed.
  void close();
  bool is_open() const;

  awaitable<> declare_exchange(std::string_view name, std::string_view type, bool passive = false);
  // Ready messages in it.
  awaitable<std::uint64_t> declare_queue(std::string_view name, bool passive = false);
  awaitable<std::uint64_t> declare_queue(const queue_definition& queue, bool passive = false);
  awaitable<declared_topic> declare_topic(const topic_definition& topic, bool passive = false);
  awaitable<> bind(std::string_view exchange, std::string_view target_kind, std::string_view target,
                   std::string_view routing_key);
  awaitable<> unbind(std::string_view exchange, std::string_view target_kind, std::string_view target,
                     std::string_view routing_key);
  awaitable<> erase(std::string_view kind, std::string_view name);
  // One page of the rows of that kind (link.proto, List), as the broker has them when it answers. `after` is the `next`
  // of the page before; empty = from the start. A page takes about limits::listing_page_bytes. What exists from the
  // first page to the last is listed once. Error: INVALID for another kind, or an `after` that no page of it gave.
  awaitable<listing_page> list(std::string_view kind, std::string_view after = {});

  // Sends as soon as the window has room and returns the publish's id; its end is told to on_confirmation.
  awaitable<std::uint64_t> send(const message_view& message, publish_options options = {});
  // Publishes that are open when the connection ends are told nothing: they may or may not be stored. The handler must
  // not be replaced from within itself; what it throws leaves the executor's run().
  void on_confirmation(std::function<void(const confirmation&)> handler);
  // Until every publish is settled.
  awaitable<> drain();
  // Sends and waits for its confirmation. Do not mix with on_confirmation's handler on the same id.
  awaitable<confirmation> publish(const message_view& message, publish_options options = {});

  // The consumer's id. prefetch 0 = as many as the broker allows.
  awaitable<std::uint32_t> consume(std::string_view queue, std::uint32_t prefetch, bool auto_ack = false);
  awaitable<> cancel(std::uint32_t consumer);
  // The next delivery of any consumer of this connection; what had arrived when the connection ended comes first.
  // Throws error_exception, with the connection open, for an error that belongs to no request: a settlement that was
  // refused, a consumer whose queue went away.
  awaitable<delivery> receive();
  // Nothing if none came in time.
  awaitable<std::optional<delivery>> receive_for(std::chrono::milliseconds wait);
  // Sent without waiting; the broker answers only errors.
  awaitable<> settle(std::uint64_t tag, outcome outcome, bool multiple = false);

  // The base offset of a batch made with batch_builder.
  awaitable<offset_t> produce(std::string_view topic, std::uint32_t partition, std::string_view batch);
  awaitable<fetched> fetch(const fetch_request& request);
  // `topic_id`, as in fetch_request: an offset means nothing in a topic that was deleted and declared again.
  awaitable<listed_offset> list_offset(std::string_view topic, std::uint32_t partition, std::int64_t timestamp_ms,
                                       std::string_view topic_id = {});
  awaitable<> commit_offset(std::string_view group, std::string_view topic, std::uint32_t partition, offset_t offset,
                            std::string_view metadata = {}, std::string_view topic_id = {});
  awaitable<std::optional<committed_offset>> fetch_offset(std::string_view group, std::string_view topic,
                                                          std::uint32_t partition, std::string_view topic_id = {});

  // A name that one connection at a time holds, until it ends: for programs of which only one may do a piece of work.
  // Refused (PRECONDITION) where another holds it.
  awaitable<> lease(std::string_view name, lease_options options);

 private:
  class state;
  std::shared_ptr<state> state_;
};

}  // namespace tidegate::client
