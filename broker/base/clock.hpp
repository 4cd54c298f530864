// Time comes from here and nowhere else, so a test can hold it in its hand.
#pragma once

#include <chrono>
#include <cstdint>

namespace tidegate {

using std::chrono::milliseconds;

class clock {
 public:
  virtual ~clock() = default;
  // Since some fixed point of this boot; never goes back. For durations and deadlines.
  virtual milliseconds monotonic() const = 0;
  // Since 1970-01-01 UTC as the kernel believes; may jump. For timestamps people read.
  virtual milliseconds wall() const = 0;
};

class system_clock final : public clock {
 public:
  milliseconds monotonic() const override {
    return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch());
  }
  milliseconds wall() const override {
    return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  }
};

// Stands still until told.
class manual_clock final : public clock {
 public:
  milliseconds monotonic() const override { return monotonic_; }
  milliseconds wall() const override { return wall_; }
  void advance(milliseconds by) {
    monotonic_ += by;
    wall_ += by;
  }
  void set_wall(milliseconds to) { wall_ = to; }

 private:
  milliseconds monotonic_{1'000};
  milliseconds wall_{1'700'000'000'000};
};

}  // namespace tidegate
