// A record that was sent alone, so that a refusal names it; and, once it was refused for good, its way into the
// dead-letter topic.
#pragma once

#include <optional>
#include <string>

#include "broker/model/record_batch.hpp"

namespace tidegate::bridge {

class lone_record {
 public:
  bool is_kept() const { return !batch_.empty(); }
  void keep(const record_view& record);
  // Returns the record's batch. Requires is_kept(); the view lasts until keep() or reset().
  batch_view batch() const { return read_batch(batch_).value(); }

  // Why the record was refused for good; null = it was not. Nothing else is sent until its copy is written.
  const std::string* refusal() const { return refusal_ ? &*refusal_ : nullptr; }
  void refuse(std::string reason) { refusal_ = std::move(reason); }
  // Its copy was asked for on the present connection.
  bool is_copy_asked() const { return is_copy_asked_; }
  void set_copy_asked(bool asked) { is_copy_asked_ = asked; }
  void reset() { *this = {}; }

 private:
  std::string batch_;  // a batch of one; empty = none
  std::optional<std::string> refusal_;
  bool is_copy_asked_ = false;
};

inline void lone_record::keep(const record_view& record) {
  batch_builder copy;
  copy.add(record);
  batch_ = copy.finish();
}

}  // namespace tidegate::bridge
