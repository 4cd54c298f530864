#include "broker/frontends/native/front_end.hpp"

namespace tidegate::native {

void front_end::remove(session& session) {
  sessions_.erase(session.id());
  std::erase_if(devices_, [&](const auto& device) { return device.second == &session; });
}

void front_end::take_over(const std::string& device, session& session) {
  const auto [found, is_new] = devices_.try_emplace(device, &session);
  if (is_new) return;
  found->second->close();
  found->second->wake();
  found->second = &session;
}

}  // namespace tidegate::native
