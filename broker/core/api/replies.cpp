#include "broker/core/api/replies.hpp"

#include <fmt/format.h>

#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>

#include "broker/base/limits.hpp"
#include "broker/model/properties.hpp"

namespace tidegate::core::api {
namespace {

constexpr std::string_view address_prefix = "amq.rabbitmq.reply-to.";
constexpr std::size_t bookkeeping_bytes = 256;  // of one reply that waits
constexpr std::size_t share = 64;               // replies that one pull hands out

// Appends the text, and returns a view of it there. The storage has room for all of a message's parts.
std::string_view kept(std::vector<char>& storage, std::string_view text) {
  const std::size_t at = storage.size();
  storage.insert(storage.end(), text.begin(), text.end());
  return {storage.data() + at, text.size()};
}

}  // namespace

bool replies::is_name(std::string_view queue) { return queue == direct_reply_name; }

bool replies::is_reply(const message_view& message) {
  return message.exchange.empty() && message.routing_key.starts_with(address_prefix);
}

bool replies::knows(std::string_view name) const { return is_name(name) || find(name) != nullptr; }

replies::requester* replies::find(std::string_view address) const {
  const auto found = addresses_.find(address);
  return found == addresses_.end() ? nullptr : found->second;
}

std::optional<session_id> replies::session_of(consumer_id consumer) const {
  const auto found = requesters_.find(consumer);
  return found == requesters_.end() ? std::nullopt : std::optional(found->second->session);
}

result<void> replies::open(session_id session, consumer_id consumer, bool auto_ack) {
  if (!auto_ack) {
    return error{errc::precondition, "replies cannot be acknowledged: consume them with auto_ack", "auto_ack"};
  }
  if (consumers_.contains(session)) {
    return error{errc::precondition, fmt::format("this connection consumes from '{}' already", direct_reply_name),
                 "queue"};
  }
  auto made = std::make_unique<requester>();
  made->session = session;
  made->address = fmt::format("{}{}", address_prefix, boost::uuids::to_string(boost::uuids::random_generator()()));
  addresses_.emplace(made->address, made.get());
  consumers_.emplace(session, consumer);
  requesters_.emplace(consumer, std::move(made));
  return {};
}

bool replies::close(consumer_id consumer) {
  const auto found = requesters_.find(consumer);
  if (found == requesters_.end()) return false;
  const requester& gone = *found->second;
  counters_.dropped += gone.waiting.size();
  bytes_ -= gone.bytes;
  addresses_.erase(gone.address);
  consumers_.erase(gone.session);
  requesters_.erase(found);
  return true;
}

void replies::end(session_id session) {
  const auto found = consumers_.find(session);
  if (found != consumers_.end()) close(found->second);
}

queues::pull_result replies::pull(consumer_id consumer, const taker& take) {
  queues::pull_result pulled;
  requester& to = *requesters_.at(consumer);
  to.told = false;
  for (bool goes_on = true; goes_on && pulled.count < share && !to.waiting.empty();) {
    const reply& next = to.waiting.front();
    delivery_view delivery;
    delivery.timestamp_ms = next.timestamp_ms;
    delivery.message = next.message;
    goes_on = take(delivery);
    const std::size_t bytes = bytes_of(next.message);
    to.bytes -= bytes;
    bytes_ -= bytes;
    to.waiting.pop_front();
    ++pulled.count;
  }
  pulled.more = !to.waiting.empty();
  to.told = pulled.more;
  return pulled;
}

result<void> replies::fill_in(session_id session, std::string_view& properties, std::string& into) const {
  if (properties.empty() || properties.size() > limits::properties_bytes) return {};  // too long: check() says so
  auto read = read_properties(properties);
  if (!read) return read.error();
  if (!read->reply_to || !is_name(*read->reply_to)) return {};
  const auto consumer = consumers_.find(session);
  if (consumer == consumers_.end()) {
    return error{errc::precondition,
                 fmt::format("reply_to is '{0}', and this connection does not consume from '{0}'; consume first, or "
                             "name a queue",
                             direct_reply_name),
                 "reply_to"};
  }
  read->reply_to = requesters_.at(consumer->second)->address;
  into = encode(*read);
  properties = into;
  return {};
}

std::size_t replies::bytes_of(const message_view& message) {
  std::size_t bytes = bookkeeping_bytes + message.routing_key.size() + message.key.size() + message.body.size() +
                      message.properties.size();
  for (const header& header : message.headers) bytes += header.name.size() + header.value.size();
  return bytes;
}

result<bool> replies::check(const message_view& message, std::size_t before) const {
  if (const auto checked = tidegate::check(message); !checked) return checked.error();
  if (const auto read = read_properties(message.properties); !read) return read.error();
  const requester* const to = find(message.routing_key);
  if (to == nullptr) return false;
  const std::size_t coming = before + bytes_of(message);
  if (to->bytes + coming > limits::replies_bytes) {
    return error{errc::target_full,
                 fmt::format("{} replies wait for their requester, which does not read them; {} bytes are the limit",
                             to->waiting.size(), limits::replies_bytes),
                 "routing_key"};
  }
  if (bytes_ + coming > limits::replies_bytes_all) {
    return error{errc::memory_full,
                 fmt::format("{} bytes of replies wait for requesters that do not read them; {} are the limit", bytes_,
                             limits::replies_bytes_all)};
  }
  return true;
}

replies::reply replies::copy(const message_view& message, std::int64_t now_ms) {
  reply copied;
  copied.timestamp_ms = now_ms;
  copied.storage.reserve(bytes_of(message));
  message_view& to = copied.message;
  to.routing_key = kept(copied.storage, message.routing_key);
  to.key = kept(copied.storage, message.key);
  to.properties = kept(copied.storage, message.properties);
  for (const header& header : message.headers) {
    const std::string_view name = kept(copied.storage, header.name);
    to.headers.push_back({name, kept(copied.storage, header.value)});
  }
  to.body = kept(copied.storage, message.body);
  return copied;
}

void replies::send(const message_view& message) {
  const auto now = timeline_.read();
  reply copied = copy(message, now.wall.count());
  copied.message.is_time_estimated = !now.is_trusted;
  requester* const to = find(message.routing_key);
  TIDEGATE_EXPECT(to != nullptr);
  deliver(*to, std::move(copied));
}

void replies::deliver(requester& to, reply reply) {
  const std::size_t bytes = bytes_of(reply.message);
  to.bytes += bytes;
  bytes_ += bytes;
  to.waiting.push_back(std::move(reply));
  ++counters_.sent;
  if (!std::exchange(to.told, true)) notices_.deliverable(to.session, consumers_.at(to.session));
}

void replies::hold(const receipt& answer, const message_view& message) {
  const auto now = timeline_.read();
  requester* const to = find(message.routing_key);
  TIDEGATE_EXPECT(to != nullptr);
  to->bytes += bytes_of(message);
  bytes_ += bytes_of(message);
  reply& copied = held_[{answer.session, answer.token}].emplace_back(copy(message, now.wall.count()));
  copied.message.is_time_estimated = !now.is_trusted;
}

void replies::settled(const receipt& answer, bool is_refused) {
  if (held_.empty()) return;
  const auto held = held_.extract({answer.session, answer.token});
  if (held.empty()) return;
  for (reply& one : held.mapped()) {
    requester* const to = find(one.message.routing_key);
    if (to == nullptr) {  // ended meanwhile, and its bytes were given back then
      counters_.dropped += is_refused ? 0 : 1;
      continue;
    }
    to->bytes -= bytes_of(one.message);
    bytes_ -= bytes_of(one.message);
    if (!is_refused) deliver(*to, std::move(one));
  }
}

}  // namespace tidegate::core::api
