// One connection of the native protocol as a state machine: bytes in, bytes out, no I/O. The first frame decides
// whether the peer is a device (Hello) or an application (Connect); after it, the role handles every frame.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "broker/base/clock.hpp"
#include "broker/core/api/services.hpp"
#include "broker/frontends/native/codec.hpp"
#include "broker/net/session.hpp"
#include "broker/net/silence.hpp"

namespace tidegate::native {

struct options {
  std::string gateway = "gateway";            // stable id
  std::string token;                          // credential of devices and applications; empty = none needed
  std::string device_exchange = "amq.topic";  // where devices publish
  std::chrono::seconds heartbeat = limits::heartbeat;
  std::string server = "tidegate-broker";  // name and version
};

class front_end;
class session;

// The protocol after the first frame: a device's or an application's.
class role {
 public:
  virtual ~role() = default;
  virtual void frame(const tg_frame& frame) = 0;
  virtual void settled(std::uint64_t token, const error* refusal) = 0;
  virtual void deliverable(core::consumer_id) {}
  virtual void cancelled(core::consumer_id) {}
  virtual void changed(stream_id) {}
  // Puts deliveries, answers and acknowledgements that are due into the outbox. Called before the outbox is sent.
  virtual void fill(milliseconds now) = 0;
  // Returns when fill() has to be called even if nothing happens; milliseconds::max() = never.
  virtual milliseconds deadline() const { return milliseconds::max(); }
  virtual std::string_view kind() const = 0;
  virtual std::string name() const = 0;
  virtual std::size_t frame_bytes_max() const = 0;
  // So many of the peer's messages wait for a commit that reading pauses, until settled() makes room.
  virtual bool is_behind() const = 0;
  // Returns after how much silence the peer counts as dead.
  virtual std::chrono::seconds silence_max() const = 0;
};

class session final : public core::session_events, public net::session {
 public:
  // `wake` notifies the connection's writer that fill() may add to the outbox.
  session(front_end& front_end, std::string peer, std::function<void()> wake);
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session() override;

  // Takes whole frames.
  std::size_t input(std::string_view data) override;
  // Reading pauses: core is full, the role is behind, or the peer does not read its answers.
  bool is_paused() const override;
  bool is_closing() const override { return closing_; }
  void close() override { closing_ = true; }
  void fill() override;
  milliseconds deadline() const override;
  net::outbox& outbox() override { return outbox_; }
  std::string description() const override;

  // For the role.
  const core::api::services& core() const;
  const options& settings() const;
  native::front_end& owner() const { return front_end_; }
  core::session_id id() const { return id_; }
  milliseconds now() const;
  void wake() const { wake_(); }
  // Sends the error and closes.
  void fail(const error& cause);
  // Answers a request that cannot be served. The connection continues.
  void refuse(std::uint32_t correlation, const error& cause);
  bool has_room() const { return outbox_.has_room(); }
  // Frames are appended here.
  std::string& answers() { return outbox_.bytes(); }

  // For listings.
  const std::string& peer() const { return peer_; }
  const role* current_role() const { return role_.get(); }

 private:
  void settled(std::uint64_t token, const error* refusal) override;
  void deliverable(core::consumer_id consumer) override;
  void cancelled(core::consumer_id consumer) override;
  void changed(stream_id stream) override;
  void lease_lost(std::string_view name) override;
  void resumed() override;

  bool frame(const tg_frame& frame);
  void first_frame(const tg_frame& frame);
  void hello(const tg_frame& frame);
  void connect(const tg_frame& frame);
  void ping(const tg_frame& frame);
  void watch_silence();
  net::silence::bounds silence_bounds() const;

  native::front_end& front_end_;
  std::string peer_;
  std::function<void()> wake_;
  core::session_id id_;
  std::unique_ptr<role> role_;
  net::outbox outbox_;
  bool closing_ = false;
  milliseconds started_;
  net::silence silence_;
};

}  // namespace tidegate::native
