#include "broker/core/queues/lane.hpp"

#include "broker/base/log.hpp"

namespace tidegate::core::queues {
namespace {

// Capacity of an empty coming_ above which its memory is released.
constexpr std::size_t places_kept = 4'096;

}  // namespace

lane::lane(const std::string& queue, stream_id stream, std::uint8_t level, const store::stream_ledger& found)
    : queue_(queue),
      stream_(stream),
      level_(level),
      next_(found.next),
      end_(found.next),
      cursor_(found.log_start),
      held_{found.next - found.log_start - found.marks->acked.size(), found.held_bytes},
      maybe_delivered_before_(found.maybe_delivered_before) {
  if (found.marks->acked.empty() && found.marks->deliveries.empty()) return;
  marks_.use().acked = found.marks->acked;
  marks_.use().deliveries = found.marks->deliveries;
}

// Returns how often a message that is ready was delivered.
std::uint32_t lane::count_of(offset_t offset) const {
  if (const auto returned = returned_.find(offset); returned != returned_.end()) return returned->second.deliveries;
  const auto counted = marks_->deliveries.find(offset);
  return counted == marks_->deliveries.end() ? 0 : counted->second;
}

// Returns how often a message was delivered before the start, and forgets it.
std::uint32_t lane::take_count(offset_t offset) {
  if (!marks_.is_used()) return 0;
  const auto counted = marks_.use().deliveries.extract(offset);
  return counted ? counted.mapped() : 0;
}

// Forgets the marks below the cursor.
void lane::forget_marks() {
  if (!marks_.is_used()) return;
  marks_.use().acked.erase_below(cursor_);
  if (marks_->acked.empty() && marks_->deliveries.empty()) marks_.reset();
}

offset_t lane::append(const message_view& message, std::int64_t timestamp_ms, store::commit_group& group) {
  const std::uint64_t bytes = message.body.size();
  group.append(stream_, next_, timestamp_ms, message, record_form::queue);
  coming_.push_back(static_cast<std::uint32_t>(bytes));
  coming_bytes_ += bytes;
  return next_++;
}

void lane::void_appends() {
  next_ = end_;
  cursor_ = std::min(cursor_, end_);
  coming_.clear();
  coming_bytes_ = 0;
}

bool lane::advance(offset_t end) {
  if (end == end_) return false;
  for (offset_t offset = std::max(end_, cursor_); offset < end; ++offset) {
    const std::uint32_t bytes = coming_.front();
    coming_.pop_front();
    coming_bytes_ -= bytes;
    held_.bytes += bytes;
    ++held_.messages;
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

void lane::hand_out(taking& taking, const record_view& record) { taking.goes_on = hand_to(taking.take, record); }

bool lane::hand_to(const taker& take, const record_view& record) {
  std::uint32_t deliveries = 0;
  if (const auto returned = returned_.find(record.offset); returned != returned_.end()) {
    deliveries = returned->second.deliveries;
    returned_.erase(returned);
  } else {
    deliveries = take_count(record.offset);
  }
  ++out_.messages;
  out_.bytes += record.body.size();
  return take(record, deliveries, deliveries > 0 || record.offset < maybe_delivered_before_);
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
      if (!marks_->acked.contains(record.offset)) hand_out(taking, record);
    }
    return taking.goes_on;
  };
  const auto scanned =
      taking.reader.scan(stream_, cursor_, take, [&](offset_range damaged) { lose(damaged, taking.group); });
  if (!scanned) return scanned.error();
  if (taking.goes_on) pass_to(end_, taking.group);
  forget_marks();
  return {};
}

// Moves the cursor over offsets that the store did not return. These were settled before the start, or are lost with a
// part of the file.
void lane::pass_to(offset_t end, store::commit_group& group) {
  while (cursor_ < end) {
    const auto settled = marks_->acked.range_from(cursor_);
    const offset_t begin = settled ? std::min(settled->begin, end) : end;
    if (begin > cursor_) lose({cursor_, begin}, group);
    if (settled) cursor_ = std::max(cursor_, std::min(settled->end, end));
  }
}

void lane::no_longer_held(std::uint64_t bytes) {
  --held_.messages;
  held_.bytes = held_.messages == 0 ? 0 : held_.bytes - std::min(held_.bytes, bytes);
}

void lane::no_longer_out(const held_message& message) {
  --out_.messages;
  out_.bytes -= std::min<std::uint64_t>(out_.bytes, message.bytes);
}

void lane::acknowledge(const held_message& message, store::commit_group& group) {
  no_longer_out(message);
  no_longer_held(message.bytes);
  group.ack(stream_, message.offset, message.bytes);
}

void lane::leave(const held_message& message, store::commit_group& group) {
  no_longer_out(message);
  no_longer_held(message.bytes);
  group.ack_tied(stream_, {message.offset, message.offset + 1}, message.bytes);
}

void lane::come_back(const held_message& message) {
  returned_.emplace(message.offset, handled{message.deliveries, message.bytes});
  ++held_.messages;
  held_.bytes += message.bytes;
}

void lane::put_back(const held_message& message, store::commit_group& group) {
  no_longer_out(message);
  const handled back{std::min<std::uint32_t>(message.deliveries + 1u, store::deliveries_max), message.bytes};
  returned_.emplace(message.offset, back);
  group.count_delivery(stream_, message.offset, back.deliveries);
}

bool lane::is_ready(offset_t offset) const {
  if (returned_.contains(offset)) return true;
  return offset >= cursor_ && offset < end_ && !marks_->acked.contains(offset);
}

result<void> lane::look(const store::reader& reader, offset_t from, const taker& take) const {
  record_view record;
  bool goes_on = true;
  const auto show = [&](const batch_view& batch) {
    record_reader records(batch);
    while (goes_on && records.next(record)) {
      if (record.offset < from || !is_ready(record.offset)) continue;
      from = record.offset + 1;
      const std::uint32_t deliveries = count_of(record.offset);
      goes_on = take(record, deliveries, deliveries > 0 || record.offset < maybe_delivered_before_);
    }
    return goes_on && from >= cursor_;
  };
  // Below the cursor only returned messages are ready: each is looked up by itself.
  while (goes_on && from < end_) {
    const auto returned = returned_.lower_bound(from);
    const bool is_fresh = returned == returned_.end() || returned->first >= cursor_;
    const offset_t at = is_fresh ? std::max(from, cursor_) : returned->first;
    const auto scanned = reader.scan(stream_, at, show, [](offset_range) {});
    if (!scanned || is_fresh) return scanned;
    from = std::max(from, at + 1);
  }
  return {};
}

result<void> lane::take_at(const std::vector<offset_t>& offsets, const store::reader& reader,
                           const std::function<bool(const record_view&)>& chosen, const taker& take) {
  record_view record;
  auto wanted = offsets.begin();
  bool goes_on = true;
  const auto take_from = [&](const batch_view& batch) {
    record_reader records(batch);
    while (goes_on && wanted != offsets.end() && records.next(record)) {
      while (wanted != offsets.end() && *wanted < record.offset) ++wanted;
      if (wanted == offsets.end() || *wanted != record.offset || !is_ready(record.offset) || !chosen(record)) continue;
      if (record.offset >= cursor_) marks_.use().acked.insert({record.offset, record.offset + 1});
      goes_on = hand_to(take, record);
    }
    return false;
  };
  while (goes_on && wanted != offsets.end()) {
    if (!is_ready(*wanted)) {
      ++wanted;
      continue;
    }
    const offset_t first = *wanted;
    // Damage is reported when the message's turn comes.
    const auto scanned = reader.scan(stream_, first, take_from, [](offset_range) {});
    if (!scanned) return scanned.error();
    if (wanted != offsets.end() && *wanted == first) ++wanted;
  }
  pass_taken();
  return {};
}

// Moves the cursor over messages that were taken before their turn, so that their marks are not kept for ever in a
// queue that nobody consumes.
void lane::pass_taken() {
  const auto taken = marks_->acked.range_at(cursor_);
  if (!taken) return;
  cursor_ = std::max(cursor_, std::min(taken->end, end_));
  forget_marks();
}

std::uint64_t lane::purge(store::commit_group& group) {
  const std::uint64_t purged = ready().messages;
  if (purged == 0) return 0;
  std::uint64_t bytes = ready().bytes;
  for (const auto& [offset, message] : returned_) group.ack(stream_, offset, std::exchange(bytes, 0));
  returned_.clear();
  for (offset_t at = cursor_; at < end_;) {
    const auto taken = marks_->acked.range_from(at);  // settled, or out
    const offset_t begin = taken ? std::min(taken->begin, end_) : end_;
    if (begin > at) group.ack(stream_, {at, begin}, std::exchange(bytes, 0));
    at = taken ? std::max(at, taken->end) : end_;
  }
  cursor_ = std::max(cursor_, end_);
  forget_marks();
  held_.messages = out_.messages;
  held_.bytes = out_.messages == 0 ? 0 : std::min(held_.bytes, out_.bytes);
  return purged;
}

// Messages that fail their CRC or are missing can never be delivered. They are settled, so that the queue continues
// after them, and recorded in the loss ledger. Their sizes are unknown, so each counts as the mean of the messages
// held.
void lane::lose(offset_range damaged, store::commit_group& group) {
  if (damaged.begin > cursor_) pass_to(damaged.begin, group);  // messages missing before the damage are lost as well
  store::loss_record lost{store::loss_reason::damaged, stream_, {}, damaged.begin, damaged.end};
  for (offset_t offset = damaged.begin; offset < damaged.end; ++offset) {
    const bool was_fresh = offset >= cursor_ && !marks_->acked.contains(offset);
    if (returned_.erase(offset) == 0 && !was_fresh) continue;
    ++lost.records;
    const std::uint64_t bytes = held_.bytes / held_.messages;
    no_longer_held(bytes);
    group.ack(stream_, offset, bytes);
  }
  cursor_ = std::max(cursor_, damaged.end);
  if (lost.records == 0) return;
  lost.unread = lost.records;
  log::error("queue {}: {} messages at offsets {} to {} are damaged or missing, and dropped", queue_, lost.records,
             damaged.begin, damaged.end - 1);
  group.lose(std::move(lost));
}

// The acknowledgement is tied to the group's records: if these are not stored, the message stays in the queue.
void lane::drop(const held_message& message, store::commit_group& group, dropped_range& gone) {
  if (gone.records++ == 0) gone.first = message.offset;
  gone.end = message.offset + 1;
  gone.bytes += message.bytes;
  group.ack_tied(stream_, {message.offset, message.offset + 1}, message.bytes);
}

void lane::drop_oldest(const store::reader& reader, store::commit_group& group, const std::function<bool()>& goes_on,
                       const std::function<void(const held_message&)>& left, dropped_range& gone) {
  while (goes_on() && !returned_.empty()) {
    const auto oldest = returned_.begin();
    const held_message message{oldest->first, 0, oldest->second.bytes,
                               static_cast<std::uint16_t>(oldest->second.deliveries), level_};
    returned_.erase(oldest);
    no_longer_held(message.bytes);
    drop(message, group, gone);
    left(message);
  }
  if (goes_on() && cursor_ < end_) drop_fresh(reader, group, goes_on, left, gone);
  if (cursor_ < end_) return;  // the store could not be read
  while (goes_on() && !coming_.empty()) drop_coming(group, gone);
}

void lane::drop_coming(store::commit_group& group, dropped_range& gone) {
  cursor_ = std::max(cursor_, end_);
  const std::uint32_t bytes = coming_.front();
  coming_.pop_front();
  coming_bytes_ -= bytes;
  drop({cursor_++, 0, bytes, 0, level_}, group, gone);
}

void lane::drop_fresh(const store::reader& reader, store::commit_group& group, const std::function<bool()>& goes_on,
                      const std::function<void(const held_message&)>& left, dropped_range& gone) {
  record_view record;
  const auto take = [&](const batch_view& batch) {
    record_reader records(batch);
    while (goes_on() && records.next(record)) {
      if (record.offset < cursor_) continue;
      pass_to(record.offset, group);
      cursor_ = record.offset + 1;
      if (marks_->acked.contains(record.offset)) continue;
      const held_message message{record.offset, 0, static_cast<std::uint32_t>(record.body.size()),
                                 static_cast<std::uint16_t>(take_count(record.offset)), level_};
      no_longer_held(message.bytes);
      drop(message, group, gone);
      left(message);
    }
    return goes_on();
  };
  const auto scanned = reader.scan(stream_, cursor_, take, [&](offset_range damaged) { lose(damaged, group); });
  if (!scanned) return log::error("queue {}: {}", queue_, scanned.error().text);
  if (goes_on()) pass_to(end_, group);
  forget_marks();
}

}  // namespace tidegate::core::queues
