// The thread on which the writer commits. A commit group goes in; its result comes out, and the group with it. Nothing
// else is shared with the broker thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "broker/store/commit_group.hpp"
#include "broker/store/writer.hpp"

namespace tidegate::store {

class writer_thread {
 public:
  // `writer` outlives this object.
  explicit writer_thread(writer& writer);
  writer_thread(const writer_thread&) = delete;
  writer_thread& operator=(const writer_thread&) = delete;
  // Ends the thread after the commit that is being made. A result that was not collected is dropped without a notice.
  ~writer_thread();

  // Starts the thread. Without it, step() does the work.
  void start();
  // Called on this thread when a result is there, or when the writer failed. Set before the first submit().
  void on_result(std::function<void()> notice) { notice_ = std::move(notice); }
  // Hands a commit group over. Call collect() before the next one.
  void submit(std::unique_ptr<commit_group> work);
  // Returns the result of the submitted group, once; none if there is no result yet. Throws the writer's exception.
  std::optional<commit_result> collect();
  // Applies the submitted group on the calling thread.
  void step();

 private:
  struct handover;
  void run();

  writer& writer_;
  std::function<void()> notice_;
  std::unique_ptr<handover> handover_;
};

}  // namespace tidegate::store
