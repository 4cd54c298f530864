// The only source of time, so that a test can control it.
#pragma once

#include <chrono>
#include <cstdint>

namespace tidegate {

using std::chrono::milliseconds;

// How long this boot of the machine has lasted, including sleep. Times of one boot can be compared, even between
// processes, whatever happened to the wall clock.
struct boot_time {
  std::uint64_t boot = 0;  // identifies the boot; 0 = not known, and then equal to no other boot
  milliseconds elapsed{0};
};

class clock {
 public:
  virtual ~clock() = default;
  // Since some fixed point of this boot; never goes back. For durations and deadlines.
  virtual milliseconds monotonic() const = 0;
  // Since 1970-01-01 UTC by the kernel's clock; may jump. For timestamps that people read.
  virtual milliseconds wall() const = 0;
  // Whether the wall clock is trusted: by the kernel, which says that it is synchronised, or by the operator.
  virtual bool is_wall_trusted() const = 0;
  virtual boot_time boot() const = 0;
};

// Whether adjtimex(2), with this answer and status, says that the clock is synchronised. A failed call (-1; a container
// may forbid it) says nothing, so the clock is not trusted.
bool is_synchronised(int answer, int status);

enum class wall_trust {
  automatic,  // while the kernel says that it is synchronised (adjtimex(2))
  always,     // for a machine with a good clock of its own and no NTP
  never,
};

class system_clock final : public clock {
 public:
  explicit system_clock(wall_trust trust = wall_trust::automatic);
  milliseconds monotonic() const override;
  milliseconds wall() const override;
  bool is_wall_trusted() const override;
  boot_time boot() const override;
  // Returns why the kernel cannot say whether its clock is synchronised; 0 = it can, or was not asked.
  int trust_failure() const;

 private:
  wall_trust trust_;
  std::uint64_t boot_;
};

// A clock that stands still until a test moves it.
class manual_clock final : public clock {
 public:
  milliseconds monotonic() const override { return monotonic_; }
  milliseconds wall() const override { return wall_; }
  bool is_wall_trusted() const override { return is_trusted_; }
  boot_time boot() const override { return {boot_, monotonic_}; }
  void advance(milliseconds by) {
    monotonic_ += by;
    wall_ += by;
  }
  void set_wall(milliseconds to) { wall_ = to; }
  void trust_wall(bool trusted) { is_trusted_ = trusted; }
  // Starts a new boot of the machine: monotonic time begins again. The wall clock advances by `away`; 0 = it stood
  // still while the machine was off.
  void reboot(milliseconds away = milliseconds(0)) {
    ++boot_;
    monotonic_ = milliseconds(1'000);
    wall_ += away;
  }

 private:
  milliseconds monotonic_{1'000};
  milliseconds wall_{1'700'000'000'000};
  bool is_trusted_ = true;
  std::uint64_t boot_ = 1;
};

}  // namespace tidegate
