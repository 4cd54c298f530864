// Time comes from here and nowhere else, so a test can hold it in its hand.
#pragma once

#include <chrono>
#include <cstdint>

namespace tidegate {

using std::chrono::milliseconds;

// How long this boot of the machine has lasted, sleep included. Times of one boot can be compared, also by different
// processes, whatever happened to the wall clock in between.
struct boot_time {
  std::uint64_t boot = 0;  // which one
  milliseconds elapsed{0};
};

class clock {
 public:
  virtual ~clock() = default;
  // Since some fixed point of this boot; never goes back. For durations and deadlines.
  virtual milliseconds monotonic() const = 0;
  // Since 1970-01-01 UTC as the kernel believes; may jump. For timestamps people read.
  virtual milliseconds wall() const = 0;
  // Somebody vouches for the wall clock: the kernel, which says that it is synchronised, or the operator.
  virtual bool is_wall_trusted() const = 0;
  virtual boot_time boot() const = 0;
};

// What adjtimex(2) answered, and the status it filled in. A call that failed (-1; a container may forbid it) says
// nothing, so nobody vouches for the clock.
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
  // Why the kernel does not say whether its clock is synchronised; 0 = it does, or was not to be asked.
  int trust_failure() const;

 private:
  wall_trust trust_;
  std::uint64_t boot_;
};

// Stands still until told.
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
  // The machine starts again: what was elapsed is not known, and the wall clock goes on or does not.
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
