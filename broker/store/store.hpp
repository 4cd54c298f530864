// The store as the broker sees it: a group to fill, a writer that commits it, a reader. Everything is called on one
// thread, except for the notice of on_result(), which comes on the writer's thread.
//
//   open group ---- writer: commit ----> result
//
// Streams that live in memory have groups of their own: memory_groups.hpp.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "broker/store/commit_group.hpp"
#include "broker/store/memory_groups.hpp"
#include "broker/store/reader.hpp"
#include "broker/store/store_files.hpp"
#include "broker/store/writer.hpp"
#include "broker/store/writer_thread.hpp"

namespace tidegate::store {

// Share of the map above which publishes are refused. Acknowledgements, deletes and cursors need fresh pages to free
// others (LMDB copies what it changes), and keep the rest for that.
constexpr double refuse_above = 0.80;
// Share of the map up to which messages still move from one place to another: they free as much as they take.
constexpr double move_up_to = 0.90;

enum class store_use { new_records, moves };

class store {
 public:
  // Opens or makes the store (store_files). Throws storage_failure.
  explicit store(store_options options);
  store(const store&) = delete;
  store& operator=(const store&) = delete;
  // Ends the writer thread after the commit that is being made. The files stay as a killed process would leave them.
  ~store();

  const start_report& start() const { return files_.report(); }
  // Contents and books that the start found, until forget_found().
  const contents& found() const { return files_.found(); }
  const books& found_books() const { return files_.found_books(); }
  void forget_found() { files_.forget_found(); }

  commit_group& open_group() { return *open_; }
  memory_groups& in_memory() { return memory_; }
  const memory_groups& in_memory() const { return memory_; }
  commit_group& riding_group() { return memory_.riding_group(); }
  commit_group& memory_group() { return memory_.memory_group(); }
  // The open group has something to write. If it has not, the riding group may be applied.
  bool has_work_for_writer();
  // Apply the memory group, or the riding one while no group is with the writer. Return the streams' new states.
  std::vector<stream_update> apply_memory() { return memory_.apply_memory(*open_); }
  std::vector<stream_update> apply_riding();
  // A group is with the writer.
  bool is_busy() const { return busy_; }
  // Hands the open group to the writer, and the riding group with it, and opens new ones. Not while busy.
  void submit();
  // Called on the writer's thread when a result is there, or when the writer failed. Set before the first submit().
  void on_result(std::function<void()> notice) { thread_->on_result(std::move(notice)); }
  // Returns the result of the group that was submitted, once; the store is not busy after that. Throws what made the
  // writer fail.
  std::optional<commit_result> collect();
  // Without a writer thread: applies the submitted group on the calling thread.
  void step() { thread_->step(); }

  const reader& read() const { return *reader_; }
  // For new records: more than refuse_above of the map is in use; or the writer found no room below that (free pages
  // can be too scattered for a chunk), until more is free. For messages that move: with what is on its way, more than
  // move_up_to is in use; or the writer found no room, until more is free.
  bool is_full(store_use use = store_use::new_records) const {
    return use == store_use::new_records ? pages_.used_share() > full_above_ : is_full_for_moves();
  }
  const lmdb::page_use& pages() const { return pages_; }
  stream_id new_stream_id() { return static_cast<stream_id>(next_stream_++); }
  // Call every few seconds: see store_files::watch().
  void watch() { files_.watch(); }
  std::optional<lmdb::foreign_reader> stuck_reader() const { return files_.stuck_reader(); }

  // Call after the last result. Writes everything into the tables and notes a clean stop.
  void close(std::optional<std::uint64_t> flash_bytes = {});

 private:
  bool is_full_for_moves() const;
  void note_pages(const commit_result& result);

  store_options options_;
  store_files files_;
  memory_groups memory_;
  std::uint32_t next_stream_ = 1;
  std::unique_ptr<commit_group> open_ = std::make_unique<commit_group>();
  std::unique_ptr<reader> reader_;
  std::unique_ptr<writer> writer_;
  std::unique_ptr<writer_thread> thread_;
  bool busy_ = false;
  lmdb::page_use pages_;
  double full_above_ = refuse_above;
  double move_up_to_ = move_up_to;
  std::size_t submitted_bytes_ = 0;
};

}  // namespace tidegate::store
