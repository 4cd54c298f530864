// Encodes and decodes the fields that rows of the small tables and entries of the journal's blobs share. A take
// function never throws: check_whole() reports missing bytes at the end.
#pragma once

#include <string>
#include <string_view>

#include "broker/base/bytes.hpp"
#include "broker/store/format.hpp"

namespace tidegate::store {

void append_stream(std::string& out, stream_id stream);
stream_id take_stream(byte_reader& reader);
// Appends a varint length and the bytes.
void append_sized(std::string& out, std::string_view bytes);
std::string_view take_sized(byte_reader& reader);
void append_ms(std::string& out, milliseconds time);
milliseconds take_ms(byte_reader& reader);
// flags u16 (1: the wall time is trusted), lifetime ms u64, wall ms u64, boot u64, boot elapsed ms u64
constexpr std::size_t time_bytes = 34;
void append_time(std::string& out, const commit_time& time);
commit_time take_time(byte_reader& reader);
void append_cursor(std::string& out, const cursor_state& cursor);
cursor_state take_cursor(byte_reader& reader);
void append_producer(std::string& out, const producer_state& producer);
producer_state take_producer(byte_reader& reader);
void append_mark(std::string& out, const age_mark& mark);
age_mark take_mark(byte_reader& reader);
void append_totals(std::string& out, const drop_totals& totals);
drop_totals take_totals(byte_reader& reader);
void append_loss(std::string& out, const loss_record& record);
loss_record take_loss(byte_reader& reader);

// Call at the end of decoding. Throws store_damaged if bytes are left over or were missing. `what` names the value in
// the error's text.
void check_whole(const byte_reader& reader, std::string_view what);

}  // namespace tidegate::store
