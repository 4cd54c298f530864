// Facts of any space and any length are kept, changed and erased, and are erased with their stream.
#include "broker/store/facts.hpp"

#include <gmock/gmock.h>

#include "broker/store/example_bytes.hpp"
#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(facts, a_short_name_is_its_key_and_a_long_one_stands_in_the_value) {
  EXPECT_EQ(row_of("Psensor", "v").key, "Psensor");
  EXPECT_EQ(row_of("Psensor", "v").value, "v");
  EXPECT_EQ(row_of("Dqwork", "v").key, "qwork");
  EXPECT_EQ(row_of("Mclean", "v").key, "clean");
  const std::string longest(510, 'R'), longer(511, 'R');
  EXPECT_EQ(row_of(longest, "v").key, longest);
  const fact_row row = row_of(longer, "v");
  EXPECT_EQ(row.key.size(), row_key_bytes_max);
  EXPECT_EQ(row.key.substr(0, 495), longer.substr(0, 495));
  EXPECT_EQ(hex(row.key.substr(495)), "f497d61c254f56d29a41cf90e7e63cf5");
  EXPECT_EQ(row.value, "\xff\x03" + longer + "v");
  EXPECT_NE(row_of(longer + "a", "").key, row_of(longer + "b", "").key);
}

TEST(facts, rows_tell_name_and_value_again) {
  for (const std::size_t size : {2, 509, 510, 511, 512, 700, 60'000}) {
    const std::string name = "R" + std::string(size - 1, 'n');
    const fact_row row = row_of(name, "value");
    const found_fact found = fact_in(row.key, row.value);
    EXPECT_EQ(found.name, name);
    EXPECT_EQ(found.value, "value");
    const std::string definition = "D" + name;
    const fact_row other = row_of(definition, "value");
    EXPECT_EQ(fact_in(other.key, other.value, "D").name, definition);
  }
  fact_row row = row_of(std::string(600, 'R'), "value");
  row.key.back() ^= 1;
  EXPECT_THROW(fact_in(row.key, row.value), store_damaged);
  EXPECT_THROW(fact_in(row.key, ""), store_damaged);
}

TEST(facts, names_have_their_rules) {
  for (const std::string_view name : {"P", "Rx", "wabcd", "D", "M"}) EXPECT_NO_THROW(check_fact_name(name)) << name;
  for (const std::string_view name : {"", "S", "B1234", "1", "w", "wabc", "\xff"}) {
    EXPECT_THROW(check_fact_name(name), store_damaged) << name;
  }
}

std::string of_stream(char letter, stream_id stream, std::string_view rest) {
  std::string name = stream_key(stream);
  name.front() = letter;
  return name.append(rest);
}

std::map<std::string, std::string> own_facts(scratch_store& store) {
  std::map<std::string, std::string> found = store->found().facts;
  std::erase_if(found, [](const auto& fact) { return fact.first.front() == 'M'; });
  return found;
}

// Facts are read from the journal, and from the tables.
TEST(facts, of_any_space_survive_and_go) {
  scratch_store store;
  const stream_id kept = store.make_queue(), dropped = store.make_queue();
  const std::string of_kept = of_stream('w', kept, "1"), of_dropped = of_stream('w', dropped, "2");
  const std::string long_name = "R" + std::string(5'000, 'n');
  const auto set = [&](const std::string& name, std::optional<std::string> value) {
    store.open_group().change_fact({name, std::move(value)});
  };
  for (const std::string& name : {of_kept, of_dropped, long_name, std::string("Kgone"), std::string("Kkept")}) {
    set(name, "first");
  }
  set(of_stream('w', stream_id{99}, "nowhere"), "first");
  store.commit();
  set("Kkept", "second");
  set("Kgone", std::nullopt);
  set(long_name, std::string(300, 'v'));
  store.commit();
  store.reopen_killed();
  const auto five = ElementsAre(Pair("Kkept", "second"), Pair(long_name, std::string(300, 'v')), Pair(of_kept, "first"),
                                Pair(of_dropped, "first"));
  EXPECT_THAT(own_facts(store), five);
  store.reopen_closed();
  EXPECT_THAT(own_facts(store), five);
  store.drop(dropped);
  set(long_name, std::nullopt);
  store.commit();
  const auto two = ElementsAre(Pair("Kkept", "second"), Pair(of_kept, "first"));
  store.reopen_killed();
  EXPECT_THAT(own_facts(store), two);
  store.reopen_closed();
  EXPECT_THAT(own_facts(store), two);
  store.close();
  raw_file file(store.path());
  EXPECT_EQ(file.rows(&tables::state).count(row_key_of(long_name)), 0u);
  EXPECT_EQ(file.rows(&tables::state).count(of_dropped), 0u);
}

}  // namespace
}  // namespace tidegate::store
