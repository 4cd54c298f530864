#include "broker/core/queues/lane.hpp"

#include <algorithm>

#include "broker/base/log.hpp"

namespace tidegate::core::queues {
namespace {

// Capacity of an empty coming_ above which its memory is released.
constexpr std::size_t places_kept = 4'096;

}  // namespace

lane::lane(const std::string& queue, stream_id stream, const store::stream_ledger& found)
    : queue_(queue),
      stream_(stream),
      next_(found.next),
      end_(found.next),
      cursor_(found.log_start),
      held_(found.next - found.log_start - found.marks->acked.size()),
      held_bytes_(found.held_bytes),
      maybe_delivered_before_(found.maybe_delivered_before) {
  if (found.marks->acked.empty() && found.marks->deliveries.empty()) return;
  found_.use().acked = found.marks->acked;
  found_.use().deliveries = found.marks->deliveries;
}

// Returns how often a message was delivered before the start, and forgets it.
std::uint32_t lane::take_count(offset_t offset) {
  if (!found_.is_used()) return 0;
  const auto counted = found_.use().deliveries.extract(offset);
  return counted ? counted.mapped() : 0;
}

// Forgets the marks below the cursor.
void lane::forget_found() {
  if (!found_.is_used()) return;
  found_.use().acked.erase_below(cursor_);
  if (found_->acked.empty() && found_->deliveries.empty()) found_.reset();
}

void lane::append(const message_view& message, std::int64_t timestamp_ms, store::commit_group& group) {
  const std::uint64_t bytes = message.body.size();
  group.append(stream_, next_++, timestamp_ms, message, record_form::queue);
  coming_.push_back(static_cast<std::uint32_t>(bytes));
  coming_bytes_ += bytes;
}

void lane::void_appends() {
  next_ = end_;
  cursor_ = std::min(cursor_, end_);
  coming_.clear();
  coming_bytes_ = 0;
  for (const auto& [offset, message] : std::exchange(leaving_, {})) {
    returned_.emplace(offset, message);
    ++held_;
    held_bytes_ += message.bytes;
  }
}

bool lane::advance(offset_t end) {
  if (!leaving_.empty()) leaving_ = decltype(leaving_)();  // clear() would keep the memory
  if (end == end_) return false;
  for (offset_t offset = std::max(end_, cursor_); offset < end; ++offset) {
    const std::uint32_t bytes = coming_.front();
    coming_.pop_front();
    coming_bytes_ -= bytes;
    held_bytes_ += bytes;
    ++held_;
  }
  end_ = end;
  if (coming_.empty() && coming_.capacity() > places_kept) coming_ = {};
  return true;
}

result<void> lane::take(const store::reader& reader, store::commit_group& group, const taker& take) {
  taking taking{reader, group, take};
  if (const auto done = take_returned(taking); !done) return done;
  return taking.goes_on ? take_fresh(taking) : result<void>();
}

void lane::hand_out(taking& taking, const record_view& record) {
  std::uint32_t deliveries = 0;
  if (const auto returned = returned_.find(record.offset); returned != returned_.end()) {
    deliveries = returned->second.deliveries;
    returned_.erase(returned);
  } else {
    deliveries = take_count(record.offset);
  }
  taking.goes_on = taking.take(record, deliveries, deliveries > 0 || record.offset < maybe_delivered_before_);
}

result<void> lane::take_returned(taking& taking) {
  record_view record;
  while (taking.goes_on && !returned_.empty()) {
    const offset_t wanted = returned_.begin()->first;
    const auto take = [&](const batch_view& batch) {
      record_reader records(batch);
      while (taking.goes_on && records.next(record)) {
        if (returned_.contains(record.offset)) hand_out(taking, record);
      }
      return false;
    };
    const auto scanned =
        taking.reader.scan(stream_, wanted, take, [&](offset_range damaged) { lose(damaged, taking.group); });
    if (!scanned) return scanned.error();
    if (returned_.contains(wanted)) lose({wanted, wanted + 1}, taking.group);
  }
  return {};
}

result<void> lane::take_fresh(taking& taking) {
  record_view record;
  const auto take = [&](const batch_view& batch) {
    record_reader records(batch);
    while (taking.goes_on && records.next(record)) {
      if (record.offset < cursor_) continue;
      pass_to(record.offset, taking.group);
      cursor_ = record.offset + 1;
      if (!found_->acked.contains(record.offset)) hand_out(taking, record);
    }
    return taking.goes_on;
  };
  const auto scanned =
      taking.reader.scan(stream_, cursor_, take, [&](offset_range damaged) { lose(damaged, taking.group); });
  if (!scanned) return scanned.error();
  if (taking.goes_on) pass_to(end_, taking.group);
  forget_found();
  return {};
}

// Moves the cursor over offsets that the store did not return. These were settled before the start, or are lost with a
// part of the file.
void lane::pass_to(offset_t end, store::commit_group& group) {
  while (cursor_ < end) {
    const auto settled = found_->acked.range_from(cursor_);
    const offset_t begin = settled ? std::min(settled->begin, end) : end;
    if (begin > cursor_) lose({cursor_, begin}, group);
    if (settled) cursor_ = std::max(cursor_, std::min(settled->end, end));
  }
}

void lane::no_longer_held(std::uint64_t bytes) {
  --held_;
  held_bytes_ = held_ == 0 ? 0 : held_bytes_ - std::min(held_bytes_, bytes);
}

void lane::acknowledge(offset_t offset, std::uint64_t bytes, store::commit_group& group) {
  no_longer_held(bytes);
  group.ack(stream_, offset, bytes);
}

void lane::put_back(const held_message& message, store::commit_group& group) {
  const handled back{message.deliveries + 1, message.bytes};
  returned_.emplace(message.offset, back);
  group.count_delivery(stream_, message.offset, back.deliveries);
}

std::uint64_t lane::purge(std::uint64_t delivered, std::uint64_t delivered_bytes, store::commit_group& group) {
  const std::uint64_t purged = held_ - delivered;
  if (purged == 0) return 0;
  std::uint64_t bytes = held_bytes_ - std::min(held_bytes_, delivered_bytes);
  for (const auto& [offset, message] : returned_) group.ack(stream_, offset, std::exchange(bytes, 0));
  returned_.clear();
  if (cursor_ < end_) group.ack(stream_, {cursor_, end_}, bytes);
  cursor_ = std::max(cursor_, end_);
  forget_found();
  held_ = delivered;
  held_bytes_ = delivered == 0 ? 0 : std::min(held_bytes_, delivered_bytes);
  return purged;
}

// Messages that fail their CRC or are missing can never be delivered. They are settled, so that the queue continues
// after them, and recorded in the loss ledger. Their sizes are unknown, so each counts as the mean of the messages
// held.
void lane::lose(offset_range damaged, store::commit_group& group) {
  if (damaged.begin > cursor_) pass_to(damaged.begin, group);  // messages missing before the damage are lost as well
  store::loss_record lost{store::loss_reason::damaged, stream_, {}, damaged.begin, damaged.end};
  for (offset_t offset = damaged.begin; offset < damaged.end; ++offset) {
    const bool was_fresh = offset >= cursor_ && !found_->acked.contains(offset);
    if (returned_.erase(offset) == 0 && !was_fresh) continue;
    ++lost.records;
    acknowledge(offset, held_bytes_ / held_, group);
  }
  cursor_ = std::max(cursor_, damaged.end);
  if (lost.records == 0) return;
  lost.unread = lost.records;
  log::error("queue {}: {} messages at offsets {} to {} are damaged or missing, and dropped", queue_, lost.records,
             damaged.begin, damaged.end - 1);
  group.lose(std::move(lost));
}

// The acknowledgement is tied to the group's records: if these are not stored, the message stays in the queue.
void lane::drop(offset_t offset, const handled& message, store::commit_group& group, departures& gone) {
  if (gone.records++ == 0) gone.first = offset;
  gone.end = offset + 1;
  gone.bytes += message.bytes;
  no_longer_held(message.bytes);
  group.ack_tied(stream_, {offset, offset + 1}, message.bytes);
  leaving_.emplace_back(offset, message);
}

void lane::drop_oldest(const store::reader& reader, store::commit_group& group, const std::function<bool()>& goes_on,
                       departures& gone) {
  while (goes_on() && !returned_.empty()) {
    const auto oldest = returned_.begin();
    drop(oldest->first, oldest->second, group, gone);
    returned_.erase(oldest);
  }
  if (goes_on() && cursor_ < end_) drop_fresh(reader, group, goes_on, gone);
  if (cursor_ < end_) return;  // the store could not be read
  while (goes_on() && !coming_.empty()) {
    const std::uint32_t bytes = coming_.front();
    cursor_ = std::max(cursor_, end_);
    if (gone.records++ == 0) gone.first = cursor_;
    gone.end = cursor_ + 1;
    gone.bytes += bytes;
    group.ack_tied(stream_, {cursor_, cursor_ + 1}, bytes);
    ++cursor_;
    coming_.pop_front();
    coming_bytes_ -= bytes;
  }
}

void lane::drop_fresh(const store::reader& reader, store::commit_group& group, const std::function<bool()>& goes_on,
                      departures& gone) {
  record_view record;
  const auto take = [&](const batch_view& batch) {
    record_reader records(batch);
    while (goes_on() && records.next(record)) {
      if (record.offset < cursor_) continue;
      pass_to(record.offset, group);
      cursor_ = record.offset + 1;
      if (found_->acked.contains(record.offset)) continue;
      const handled dropped{take_count(record.offset), static_cast<std::uint32_t>(record.body.size())};
      drop(record.offset, dropped, group, gone);
    }
    return goes_on();
  };
  const auto scanned = reader.scan(stream_, cursor_, take, [&](offset_range damaged) { lose(damaged, group); });
  if (!scanned) return log::error("queue {}: {}", queue_, scanned.error().text);
  if (goes_on()) pass_to(end_, group);
  forget_found();
}

}  // namespace tidegate::core::queues
