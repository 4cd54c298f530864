#include "broker/store/writer_thread.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace tidegate::store {

struct writer_thread::handover {
  std::mutex mutex;
  std::condition_variable wake;
  std::unique_ptr<commit_group> work;
  std::unique_ptr<commit_group> done;  // freed on the thread that filled it: two threads at malloc wait for each other
  std::optional<commit_result> result;
  std::exception_ptr failure;
  bool stop = false;
  std::thread runner;
};

writer_thread::writer_thread(writer& writer) : writer_(writer), handover_(std::make_unique<handover>()) {}

writer_thread::~writer_thread() {
  if (!handover_->runner.joinable()) return;
  {
    const std::lock_guard guard(handover_->mutex);
    handover_->stop = true;
  }
  handover_->wake.notify_one();
  handover_->runner.join();
}

void writer_thread::start() {
  handover_->runner = std::thread([this] { run(); });
}

void writer_thread::run() {
  std::unique_lock lock(handover_->mutex);
  while (true) {
    handover_->wake.wait(lock, [&] { return handover_->stop || handover_->work != nullptr; });
    if (handover_->work == nullptr) return;
    auto work = std::move(handover_->work);
    lock.unlock();
    std::optional<commit_result> result;
    std::exception_ptr failure;
    try {
      result = writer_.apply(*work);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    handover_->done = std::move(work);
    handover_->result = std::move(result);
    handover_->failure = failure;
    if (handover_->stop) return;  // the notice's receiver may be gone
    lock.unlock();
    if (notice_) notice_();
    if (failure) return;
    lock.lock();
  }
}

void writer_thread::submit(std::unique_ptr<commit_group> work) {
  {
    const std::lock_guard guard(handover_->mutex);
    handover_->work = std::move(work);
  }
  handover_->wake.notify_one();
}

void writer_thread::step() {
  const auto work = std::move(handover_->work);
  if (work) handover_->result = writer_.apply(*work);
}

std::optional<commit_result> writer_thread::collect() {
  std::unique_ptr<commit_group> done;
  const std::lock_guard guard(handover_->mutex);
  if (handover_->failure) std::rethrow_exception(handover_->failure);
  done = std::move(handover_->done);
  return std::exchange(handover_->result, std::nullopt);
}

}  // namespace tidegate::store
