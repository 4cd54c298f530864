// A value that takes memory once it is changed for the first time; until then it reads as a default-made one. For what
// few of many thousand queues and topics ever need.
#pragma once

#include <memory>

namespace tidegate {

template <class T>
class on_first_use {
 public:
  on_first_use() = default;
  on_first_use(const on_first_use& other) : value_(other.value_ ? std::make_unique<T>(*other.value_) : nullptr) {}
  on_first_use(on_first_use&&) noexcept = default;
  on_first_use& operator=(on_first_use other) noexcept {
    value_ = std::move(other.value_);
    return *this;
  }
  ~on_first_use() = default;

  // Reading never allocates.
  const T& operator*() const { return value_ ? *value_ : unused(); }
  const T* operator->() const { return &**this; }
  bool is_used() const { return value_ != nullptr; }
  // Returns the value for changing, and makes it if it is not there yet.
  T& use() {
    if (!value_) value_ = std::make_unique<T>();
    return *value_;
  }
  // Returns the value for a change that has nothing to do while there is no value; null then.
  T* used() { return value_.get(); }
  // Releases its memory.
  void reset() { value_.reset(); }

 private:
  static const T& unused() {
    static const T none{};
    return none;
  }
  std::unique_ptr<T> value_;
};

}  // namespace tidegate
