// Tests of the checker: it finds no violation if the store kept its promises, and finds each kind of breach.
#include "tests/faults/invariants.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <initializer_list>

namespace tidegate::faults {
namespace {

using testing::Contains;
using testing::IsEmpty;

// Messages 1 to 4 of publisher 1 are confirmed, in queue `work` and topic `log`. Message 1 is acknowledged, message 2
// was requeued once, message 3 is delivered and not settled, and message 5 of producer 2 is on its way.
history story() {
  history told;
  for (const char* const line : {"opened",
                                 "define q/work",
                                 "define t/log",
                                 "limit log 1000",
                                 "define x/extra",
                                 "defined q/work",
                                 "defined t/log",
                                 "defined x/extra",
                                 "attempt 1 1 1 no q/work t/log",
                                 "attempt 2 1 2 no q/work t/log",
                                 "attempt 3 1 3 no q/work t/log",
                                 "attempt 4 1 4 no q/work t/log",
                                 "confirm 1",
                                 "confirm 2",
                                 "confirm 3",
                                 "confirm 4",
                                 "range log 0 0 4",
                                 "stored log 0 0 1",
                                 "stored log 0 1 2",
                                 "stored log 0 2 3",
                                 "stored log 0 3 4",
                                 "deliver work 0 1",
                                 "deliver work 1 2",
                                 "deliver work 2 3",
                                 "ack work 1",
                                 "requeue work 2 1",
                                 "acked work 1",
                                 "requeued work 2 1",
                                 "commit group log 0 2",
                                 "committed group log 0 2",
                                 "commit group log 0 3",
                                 "attempt 5 2 1 yes q/work t/log"}) {
    told.apply(line);
  }
  return told;
}

held_message held(offset_t offset, std::uint64_t number) {
  held_message message;
  message.offset = offset;
  message.who = number < 5 ? label{number, 1, number} : label{number, 2, number - 4};
  message.redelivered = true;
  return message;
}

// Holdings of a store that kept all promises, and did not store message 5.
holdings truth() {
  holdings found;
  found.definitions = {"q/work", "t/log", "x/extra"};
  found.queues["work"] = {3, {held(1, 2), held(2, 3), held(3, 4)}};
  found.queues["work"].messages[0].deliveries = 1;
  found.topics["log"] = {{0, 4, 500, {held(0, 1), held(1, 2), held(2, 3), held(3, 4)}}};
  found.committed["group log 0"] = 2;
  return found;
}

std::vector<promise> broken(const holdings& found, std::initializer_list<const char*> more = {}) {
  history told = story();
  for (const char* const line : more) told.apply(line);
  std::vector<promise> promises;
  for (const violation& violation : check(told, found)) promises.push_back(violation.broken);
  return promises;
}

class Invariants : public testing::Test {
 protected:
  holdings found = truth();
  held_queue& work = found.queues["work"];
  held_partition& log = found.topics["log"][0];
  void add_message_5() {
    work.messages.push_back(held(4, 5));
    ++work.ready;
    log.records.push_back(held(4, 5));
    ++log.end;
    found.producers[2] = 1;
  }
};

TEST_F(Invariants, HoldInATrueStory) { EXPECT_THAT(broken(found), IsEmpty()); }

TEST_F(Invariants, HoldWhenWhatWasOnItsWayIsThere) {
  add_message_5();
  found.committed["group log 0"] = 3;
  EXPECT_THAT(broken(found), IsEmpty());
}

TEST_F(Invariants, FindAConfirmedMessageGoneFromAQueue) {
  work.messages.pop_back();
  --work.ready;
  EXPECT_THAT(broken(found), Contains(promise::kept));
}

TEST_F(Invariants, FindAConfirmedMessageGoneFromALog) {
  log.records.pop_back();
  --log.end;
  EXPECT_THAT(broken(found), Contains(promise::end));
}

TEST_F(Invariants, FindAMessageGoneThatWasConfirmedInTheLastInstant) {
  EXPECT_THAT(broken(found, {"confirm 5"}), Contains(promise::kept));
}

TEST_F(Invariants, LetAnAcknowledgementOnItsWayTakeAMessage) {
  work.messages.erase(work.messages.begin() + 1);
  --work.ready;
  EXPECT_THAT(broken(found, {"ack work 3"}), IsEmpty());
  EXPECT_THAT(broken(truth(), {"ack work 3"}), IsEmpty());
}

TEST_F(Invariants, FindWhatWasNeverTried) {
  work.messages.push_back(held(4, 6));
  ++work.ready;
  EXPECT_THAT(broken(found), Contains(promise::attempted));
}

TEST_F(Invariants, FindWhatWasMeantForAnotherQueue) {
  found.definitions.insert("q/other");
  found.queues["other"] = {1, {held(0, 4)}};
  EXPECT_THAT(broken(found, {"define q/other", "defined q/other"}), Contains(promise::attempted));
}

TEST_F(Invariants, FindAMessageTwiceInAQueue) {
  work.messages.push_back(held(4, 4));
  ++work.ready;
  EXPECT_THAT(broken(found), Contains(promise::once));
}

TEST_F(Invariants, FindAMessageTwiceInALog) {
  log.records.push_back(held(4, 4));
  ++log.end;
  EXPECT_THAT(broken(found), Contains(promise::once));
}

TEST_F(Invariants, FindAPublishersMessagesOutOfOrder) {
  std::swap(work.messages[1], work.messages[2]);
  EXPECT_THAT(broken(found), Contains(promise::order));
}

TEST_F(Invariants, FindAWrongBody) {
  work.messages[1].state = body_state::wrong_body;
  EXPECT_THAT(broken(found), Contains(promise::whole_body));
}

TEST_F(Invariants, FindWrongMetadata) {
  log.records[1].state = body_state::wrong_metadata;
  EXPECT_THAT(broken(found), Contains(promise::right_metadata));
}

TEST_F(Invariants, FindTheAcknowledgedOfferedAgain) {
  work.messages.insert(work.messages.begin(), held(0, 1));
  ++work.ready;
  EXPECT_THAT(broken(found), Contains(promise::settled));
}

TEST_F(Invariants, FindADeliveryThatIsNotToldAgain) {
  work.messages[1].redelivered = false;
  EXPECT_THAT(broken(found), Contains(promise::redelivered));
}

TEST_F(Invariants, FindAForgottenDeliveryCount) {
  work.messages[0].deliveries = 0;
  EXPECT_THAT(broken(found), Contains(promise::redelivered));
}

TEST_F(Invariants, FindAGapInALog) {
  log.records.erase(log.records.begin() + 1);
  EXPECT_THAT(broken(found), Contains(promise::dense));
}

TEST_F(Invariants, FindAnOffsetThatNamesAnotherMessage) {
  std::swap(log.records[1].who, log.records[2].who);
  EXPECT_THAT(broken(found), Contains(promise::offsets));
}

TEST_F(Invariants, FindAQueuesMessageAtAnotherOffset) {
  work.messages[1].offset = 7;
  EXPECT_THAT(broken(found), Contains(promise::offsets));
}

TEST_F(Invariants, FindALogThatStartsWhereItNoLongerDoes) {
  EXPECT_THAT(broken(found, {"range log 0 1 4"}), Contains(promise::log_start));
}

TEST_F(Invariants, FindALogThatWasTrimmedWithoutNeed) {
  log.records.erase(log.records.begin(), log.records.begin() + 3);
  log.log_start = 3;
  log.bytes = 100;
  EXPECT_THAT(broken(found), Contains(promise::log_start));
  log.bytes = 900;
  EXPECT_THAT(broken(found), IsEmpty());
}

TEST_F(Invariants, FindACommittedOffsetThatWentBack) {
  found.committed["group log 0"] = 1;
  EXPECT_THAT(broken(found), Contains(promise::committed));
}

TEST_F(Invariants, FindACommittedOffsetThatIsGone) {
  found.committed.clear();
  EXPECT_THAT(broken(found), Contains(promise::committed));
}

TEST_F(Invariants, FindAConfirmedSequenceForgotten) {
  add_message_5();
  found.producers[2] = 0;
  EXPECT_THAT(broken(found, {"confirm 5"}), Contains(promise::producers));
}

TEST_F(Invariants, FindASequenceCountedWithoutItsMessage) {
  found.producers[2] = 1;
  EXPECT_THAT(broken(found), Contains(promise::producers));
}

TEST_F(Invariants, FindADefinitionGone) {
  found.definitions.erase("x/extra");
  EXPECT_THAT(broken(found), Contains(promise::definitions));
  EXPECT_THAT(broken(found, {"remove x/extra"}), IsEmpty());
}

TEST_F(Invariants, FindARemovedDefinitionThere) {
  EXPECT_THAT(broken(found, {"remove x/extra", "removed x/extra"}), Contains(promise::definitions));
}

TEST_F(Invariants, FindADefinitionThatWasNeverDeclared) {
  found.definitions.insert("x/other");
  EXPECT_THAT(broken(found), Contains(promise::definitions));
}

TEST_F(Invariants, FindAQueuesFormerLife) {
  EXPECT_THAT(broken(found, {"remove q/work", "removed q/work", "define q/work", "defined q/work"}),
              Contains(promise::attempted));
}

TEST_F(Invariants, FindACounterThatIsWrong) {
  ++work.ready;
  EXPECT_THAT(broken(found), Contains(promise::counters));
}

TEST_F(Invariants, FindALogsEndThatIsNotItsRecords) {
  ++log.end;
  EXPECT_THAT(broken(found), Contains(promise::counters));
}

TEST_F(Invariants, FindAPublishInOneOfItsTwoTargets) {
  add_message_5();
  log.records.pop_back();
  --log.end;
  EXPECT_THAT(broken(found), Contains(promise::whole_publish));
}

TEST_F(Invariants, FindWhatCannotBeRead) {
  found.unreadable.emplace_back("queue work: damaged");
  EXPECT_THAT(broken(found), Contains(promise::readable));
}

TEST(History, RefusesWhatIsNoMark) {
  history told;
  EXPECT_THROW(told.apply("nonsense"), std::invalid_argument);
  EXPECT_THROW(told.apply("confirm many"), std::invalid_argument);
  EXPECT_THROW(told.apply("defined q/never-tried"), std::exception);
}

TEST(Body, TellsWhoItIsAndWhetherItIsWhole) {
  message_view message;
  message.routing_key = "hall";
  std::string body = make_body({7, 2, 3}, message, 100);
  EXPECT_EQ(body.size(), 100u);
  message.body = body;
  label who;
  EXPECT_EQ(read_body(message, who), body_state::right);
  EXPECT_EQ(who, (label{7, 2, 3}));
  message.routing_key = "hell";
  EXPECT_EQ(read_body(message, who), body_state::wrong_metadata);
  body[50] = static_cast<char>(body[50] ^ 1);
  message.body = body;
  EXPECT_EQ(read_body(message, who), body_state::wrong_body);
}

}  // namespace
}  // namespace tidegate::faults
