// State that the native protocol's connections share: core, the settings, and the list of connections.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "broker/frontends/native/session.hpp"

namespace tidegate::native {

class front_end {
 public:
  front_end(const core::api::services& core, options options) : core_(core), options_(std::move(options)) {}

  const core::api::services& core() const { return core_; }
  const options& settings() const { return options_; }
  void add(session& session) { sessions_.emplace(session.id(), &session); }
  void remove(session& session);
  const std::map<core::session_id, session*>& sessions() const { return sessions_; }
  // Buffer that connections receive into. All share it: bytes that are not handled at once have to be copied.
  std::span<char> room() { return room_; }
  // Makes `session` the device's connection and closes an older one of the same device, which may be half open.
  void take_over(const std::string& device, session& session);

 private:
  const core::api::services& core_;
  options options_;
  std::map<core::session_id, session*> sessions_;
  std::map<std::string, session*> devices_;
  std::vector<char> room_ = std::vector<char>(limits::receive_bytes);
};

}  // namespace tidegate::native
