#include "broker/base/clock.hpp"

#include <sys/timex.h>

#include <cerrno>
#include <ctime>
#include <fstream>
#include <string>

namespace tidegate {
namespace {

// Linux makes a random UUID at each boot. Without one, every boot counts as a different one.
std::uint64_t read_boot() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  if (!std::getline(file, id)) return 0;
  // FNV-1a: the same in every build, which std::hash does not promise.
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : id) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

bool is_synchronised(int answer, int status) {
  return answer >= 0 && answer != TIME_ERROR && (status & STA_UNSYNC) == 0;
}

system_clock::system_clock(wall_trust trust) : trust_(trust), boot_(read_boot()) {}

milliseconds system_clock::monotonic() const {
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch());
}

milliseconds system_clock::wall() const {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
}

bool system_clock::is_wall_trusted() const {
  if (trust_ != wall_trust::automatic) return trust_ == wall_trust::always;
  timex state{};
  const int answer = adjtimex(&state);
  return is_synchronised(answer, state.status);
}

int system_clock::trust_failure() const {
  timex state{};
  return trust_ == wall_trust::automatic && adjtimex(&state) < 0 ? errno : 0;
}

boot_time system_clock::boot() const {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return {boot_, std::chrono::duration_cast<milliseconds>(std::chrono::seconds(now.tv_sec) +
                                                          std::chrono::nanoseconds(now.tv_nsec))};
}

}  // namespace tidegate
