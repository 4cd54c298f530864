#include "broker/frontends/native/session.hpp"

#include <fmt/format.h>

#include "broker/base/log.hpp"
#include "broker/frontends/native/application.hpp"
#include "broker/frontends/native/device.hpp"
#include "broker/frontends/native/front_end.hpp"

namespace tidegate::native {

session::session(native::front_end& front_end, std::string peer, std::function<void()> wake)
    : front_end_(front_end),
      peer_(std::move(peer)),
      wake_(std::move(wake)),
      id_(front_end.core().sessions.attach(*this)),
      started_(now()),
      silence_(started_) {
  front_end_.add(*this);
}

session::~session() {
  role_.reset();
  front_end_.remove(*this);
  core().sessions.detach(id_);
}

const core::api::services& session::core() const { return front_end_.core(); }
const options& session::settings() const { return front_end_.settings(); }
milliseconds session::now() const { return core().inspecting.now(); }

bool session::is_paused() const {
  return !core().publishing.accepts(id_) || !has_room() || (role_ && role_->is_behind());
}

std::size_t session::input(std::string_view data) {
  silence_.heard(now());
  std::size_t taken = 0;
  while (!closing_ && taken < data.size() && !is_paused()) {
    const std::size_t body_max = role_ ? role_->frame_bytes_max() : limits::first_frame_bytes;
    tg_frame found;
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(data.data()) + taken;
    switch (tg_frame_split(bytes, data.size() - taken, body_max, &found)) {
      case TG_SPLIT_READY:
        taken += found.size;
        if (!frame(found)) return taken;
        break;
      case TG_SPLIT_MORE: return taken;
      case TG_SPLIT_MALFORMED:
        fail({errc::invalid, "these bytes are no frame of the Tidegate link protocol"});
        return taken;
      case TG_SPLIT_TOO_LARGE:
        fail({errc::too_large, fmt::format("a frame of {} bytes is over the limit of {}", found.size, body_max)});
        return taken;
    }
  }
  return taken;
}

bool session::frame(const tg_frame& frame) {
  if (!role_) {
    first_frame(frame);
  } else if (frame.member == TG_PING) {
    ping(frame);
  } else if (frame.member != TG_PONG) {
    role_->frame(frame);
  }
  return !closing_;
}

void session::first_frame(const tg_frame& frame) {
  if (frame.member == TG_HELLO) return hello(frame);
  if (frame.member == TG_CONNECT) return connect(frame);
  fail({errc::not_allowed, "the first frame must be Hello (a device) or Connect (an application)"});
}

void session::hello(const tg_frame& frame) {
  tg_Hello hello{};
  if (!tg_frame_decode(&frame, tg_Hello_fields, &hello)) return fail({errc::invalid, "Hello does not decode"});
  role_ = device::admit(*this, hello);
}

void session::connect(const tg_frame& frame) {
  tg_Connect connect{};
  if (!tg_frame_decode(&frame, tg_Connect_fields, &connect)) return fail({errc::invalid, "Connect does not decode"});
  role_ = application::admit(*this, connect);
}

void session::ping(const tg_frame& frame) {
  tg_Ping ping{};
  if (!tg_frame_decode(&frame, tg_Ping_fields, &ping)) return fail({errc::invalid, "Ping does not decode"});
  const tg_Pong pong{ping.ticks, static_cast<std::uint64_t>(core().inspecting.wall().count())};
  append_frame(answers(), TG_PONG, tg_Pong_fields, &pong, 0);
  wake();
}

std::string session::description() const {
  if (!role_) return "connection " + peer_;
  return fmt::format("{} {} {}", role_->kind(), role_->name(), peer_);
}

void session::fail(const error& cause) {
  const std::string text = presentable(cause.text);
  log::warning("{}: {}; closing", description(), text);
  const tg_Error answer{0, true, wire_code(cause.code), bytes_of(text), bytes_of(cause.field)};
  append_frame(answers(), TG_ERROR, tg_Error_fields, &answer, text.size() + cause.field.size());
  close();
  wake();
}

void session::refuse(std::uint32_t correlation, const error& cause) {
  const std::string text = presentable(cause.text);
  const tg_Error answer{correlation, false, wire_code(cause.code), bytes_of(text), bytes_of(cause.field)};
  append_frame(answers(), TG_ERROR, tg_Error_fields, &answer, text.size() + cause.field.size());
  wake();
}

void session::fill() {
  if (closing_) return;
  watch_silence();
  if (role_ && !closing_) role_->fill(now());
}

// Asks for a sign of life early enough for the answer to arrive before the peer counts as dead.
net::silence::bounds session::silence_bounds() const {
  const milliseconds allowed = role_->silence_max();
  return {allowed * 3 / 4, 2 * allowed};
}

void session::watch_silence() {
  if (!role_) {
    if (now() - started_ < limits::first_frame_time) return;
    return fail({errc::not_allowed, "no Hello or Connect came within 5 seconds"});
  }
  if (is_paused()) return silence_.heard(now());  // the peer's bytes are not read
  switch (silence_.look(now(), silence_bounds())) {
    case net::silence::due::nothing: return;
    case net::silence::due::end:
      log::info("{}: silent for {} s; closing", description(), silence_.length(now()).count() / 1000);
      return close();
    case net::silence::due::ask: {
      const tg_Ping ping{0};
      append_frame(answers(), TG_PING, tg_Ping_fields, &ping, 0);
    }
  }
}

milliseconds session::deadline() const {
  if (!role_) return started_ + limits::first_frame_time;
  return std::min(silence_.deadline(silence_bounds()), role_->deadline());
}

void session::settled(std::uint64_t token, const error* refusal) {
  if (!role_ || closing_) return;
  role_->settled(token, refusal);
  wake();
}

void session::deliverable(core::consumer_id consumer) {
  if (role_) role_->deliverable(consumer);
  wake();
}

void session::cancelled(core::consumer_id consumer) {
  if (role_) role_->cancelled(consumer);
  wake();
}

void session::changed(stream_id stream) {
  if (role_) role_->changed(stream);
  wake();
}

void session::lease_lost(std::string_view name) {
  fail({errc::fenced, fmt::format("'{}' was taken over by another connection", name), "lease"});
}

void session::resumed() { wake(); }

}  // namespace tidegate::native
