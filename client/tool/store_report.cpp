#include "client/tool/store_report.hpp"

#include <fmt/format.h>

#include "client/tool/moment.hpp"
#include "client/tool/rendering.hpp"
#include "client/tool/text.hpp"

namespace tidegate::tool {

namespace json = boost::json;

namespace {

// The name in a damaged row may be any bytes.
std::string text_of(std::string_view bytes) { return is_utf8(bytes) ? std::string(bytes) : to_line(bytes); }

void add_owner(json::object& to, const std::optional<store::offline::stream_owner>& owner) {
  const bool is_partition = owner && owner->kind == target_kind::topic;
  to["name"] = owner ? json::value(text_of(owner->name)) : json::value();
  to["partition"] = is_partition ? json::value(owner->partition) : json::value();
}

json::object to_json(const store::offline::stream_overview& stream) {
  json::object row{{"stream", static_cast<std::uint32_t>(stream.stream)},
                   {"kind", stream.kind == store::stream_kind::queue ? "queue" : "log"}};
  add_owner(row, stream.owner);
  row["log_start"] = stream.log_start;
  row["end"] = stream.end;
  row["live"] = stream.live;
  row["requeued"] = stream.counted;
  row["bytes"] = stream.bytes;
  row["newest_timestamp_ms"] = stream.newest_timestamp_ms;
  row["remark"] = stream.in_memory ? "memory: held nothing here" : "";
  return row;
}

json::object to_json(const store::offline::cursor_overview& cursor) {
  json::object row{{"group", text_of(cursor.group)}};
  add_owner(row, cursor.owner);
  row["committed"] = cursor.offset;
  row["lag"] = cursor.lag;
  return row;
}

json::object to_json(const store::offline::loss_overview& loss) {
  const store::loss_record& record = loss.record;
  json::object row{{"loss", loss.number}, {"reason", store::name(record.reason)}, {"source", text_of(record.source)}};
  add_owner(row, loss.owner);
  row["first"] = record.first;
  row["end"] = record.end;
  row["records"] = record.records;
  row["unread"] = record.unread;
  row["since_ms"] = record.since.count();
  row["until_ms"] = record.until.count();
  row["time_trusted"] = record.wall_trusted;
  return row;
}

json::object to_json(const store::lmdb::page_use& pages) {
  return {{"page_bytes", pages.page_bytes},
          {"map", pages.map_pages},
          {"used", pages.used_pages},
          {"free", pages.map_pages - std::min(pages.map_pages, pages.used_pages)}};
}

template <class Rows>
json::array to_array(const Rows& rows) {
  json::array all;
  for (const auto& row : rows) all.push_back(to_json(row));
  return all;
}

void add_identity(json::object& to, const store::offline::store_identity& identity) {
  to["format"] = store::format_version;
  to["incarnation"] = text_of(identity.incarnation);
  to["stopped_cleanly"] = identity.stopped_cleanly;
}

void add_overview(json::object& to, const store::offline::store_overview& overview) {
  to["exchanges"] = overview.exchanges;
  to["queues"] = overview.queues;
  to["topics"] = overview.topics;
  to["bindings"] = overview.bindings;
  to["producers"] = overview.producers;
  to["loss_records"] = overview.loss_records;
  to["journal"] = {{"blobs", overview.journal.blobs},
                   {"bytes", overview.journal.bytes},
                   {"oldest_commit", overview.journal.oldest},
                   {"newest_commit", overview.journal.newest}};
  to["streams"] = to_array(overview.streams);
  to["cursors"] = to_array(overview.cursors);
  to["losses"] = to_array(overview.losses);
}

// Replaces milliseconds since 1970 by a date for people.
void put_date(json::object& row, std::string_view member, std::string_view date) {
  const auto* const found = row.if_contains(member);
  if (found == nullptr) return;
  const auto ms = found->to_number<std::int64_t>();
  row[date] = ms == 0 ? json::value() : json::value(to_iso_time(ms));
  row.stable_erase(row.find(member));
}

// Returns a section with an empty line above it; empty if there are no rows.
std::string section(const json::object& report, std::string_view member) {
  const auto* const found = report.if_contains(member);
  if (found == nullptr || !found->is_array() || found->get_array().empty()) return "";
  json::array rows = found->get_array();
  for (json::value& row : rows) {
    put_date(row.get_object(), "newest_timestamp_ms", "newest");
    put_date(row.get_object(), "since_ms", "since");
    put_date(row.get_object(), "until_ms", "until");
  }
  return "\n" + table(rows);
}

}  // namespace

json::object to_json(const store::offline::finding& finding) {
  return {{"severity", store::offline::name(finding.level)},
          {"where", text_of(finding.where)},
          {"what", text_of(finding.what)}};
}

json::object to_json(const store::offline::inspection& inspection) {
  json::object report;
  if (inspection.identity) add_identity(report, *inspection.identity);
  report["pages"] = to_json(inspection.pages);
  json::array tables;
  for (const store::offline::table_use& use : inspection.tables) {
    tables.push_back(json::object{{"table", use.name}, {"rows", use.rows}, {"bytes", use.bytes}});
  }
  report["tables"] = std::move(tables);
  if (inspection.overview) add_overview(report, *inspection.overview);
  report["notes"] = inspection.notes;
  report["inconsistencies"] = inspection.inconsistencies;
  report["damages"] = inspection.damages;
  return report;
}

json::object to_json(const store::offline::store_identity& identity, const store::lmdb::page_use& pages,
                     const store::offline::store_overview& overview) {
  json::object report;
  add_identity(report, identity);
  report["pages"] = to_json(pages);
  add_overview(report, overview);
  return report;
}

std::string check_text(const json::object& report) {
  std::string text;
  if (const auto* const pages = report.if_contains("pages")) text = fields({{"pages", *pages}});
  for (const std::string_view member : {"tables", "streams", "findings"}) text += section(report, member);
  return text;
}

std::string overview_text(const json::object& report) {
  json::object plain = report;
  for (const std::string_view member : {"streams", "cursors", "losses"}) plain.erase(member);
  return fields(plain) + section(report, "streams") + section(report, "cursors") + section(report, "losses");
}

}  // namespace tidegate::tool
