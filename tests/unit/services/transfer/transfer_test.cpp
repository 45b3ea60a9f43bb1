// links: transfer_shell GTest::gtest_main
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "runtime/metrics.hpp"
#include "support/frames.hpp"
#include "support/row_of.hpp"
#include "support/transfer_world.hpp"

namespace fieldwork::transfer {
namespace {

const std::string digest_a = crypto::digest_of("a");

TEST_F(World, StoresAPackageAndSendsItThroughRestartsOfBothSides) {
  const auto bytes = make_bytes(400'000, 9);
  const auto digest = crypto::digest_of(bytes);
  loss_percent = 10;
  slow = true;
  int restarts = 0;
  push(bytes, [&](int round) {
    if (round % 50 != 40) return;  // what was not on the disk for 2 s is lost
    restart();
    ++restarts;
  });
  EXPECT_GT(restarts, 1);
  EXPECT_EQ(read(dir / "store/content/" / digest.substr(7)), bytes);
  EXPECT_EQ(files_in(dir / "store/incoming"), 0U);
  const auto package =
      codec::decode_package(Json::parse(retained.at(topics.state("package", digest.substr(7))))).value();
  EXPECT_EQ(package.name, "demo");
  EXPECT_EQ(package.released_by, pki().releaser.public_key().id());
  EXPECT_EQ(ask("offer", "bob", codec::encode(upload_of(bytes))), (Json{{"v", 1}, {"state", "stored"}}));

  Receiver device(dir / "device", "d1");
  std::set<std::string> transfers;
  restart();  // which says that the devices' links are slow
  restarts = 0;
  Time ask_at = now;
  const auto live = [&] { return !service->core().live().empty(); };
  for (int round = 0; !device.done() || live(); ++round) {
    ASSERT_LT(round, 20'000);
    if (!device.done() && now >= ask_at) {
      hear(topics.up("d1", "want"), want_of(digest, "d1"));
      ask_at = now + seconds(5);
    }
    for (const auto& offer : take(topics.down("d1", "offer"))) {
      transfers.insert(codec::decode_offer(offer)->transfer.value);
      device.offer(offer);
    }
    for (const auto& frame : take(topics.down("d1", "frame"))) {
      if (!lost()) device.frame(frame, now);
    }
    if (const auto answer = device.answer(now); answer && !lost()) hear(topics.up("d1", "received"), *answer);
    pass(milliseconds(20));
    if (round % 40 == 20) {
      restart();
      ++restarts;
    }
    if (round % 200 == 150 && !device.done()) {
      device.restart();
      ask_at = now;
    }
  }
  EXPECT_GT(restarts, 3);
  EXPECT_EQ(transfers.size(), 1U);  // the same offer all along
  EXPECT_EQ(read(device.final_path()), bytes);
  const auto id = *transfers.begin();
  const auto state = Json::parse(retained.at(topics.state("transfer", id)));
  EXPECT_EQ(state.at("state"), "completed");
  EXPECT_EQ(state.at("device"), "d1");
  EXPECT_EQ(state.at("acked_bytes"), state.at("encoded_bytes"));
  const auto events = take(topics.event("transfer", id));
  EXPECT_EQ(Json::parse(events.front()).at("event"), "strategy");
  EXPECT_EQ(Json::parse(events.back()).at("event"), "finished");
  EXPECT_EQ(state.at("strategy").at("reason"), Json::parse(events.at(events.size() - 2)).at("reason"));
  const auto shown = ask("show", "bob", R"({"v":1,"digest":")" + digest + R"("})");
  EXPECT_EQ(shown.at("package").at("transfers").at(0).at("state"), "completed");
  EXPECT_EQ(ask("list", "bob", R"({"v":1})").at("items").size(), 1U);
  pass(std::chrono::hours(1));
  EXPECT_EQ(retained.at(topics.state("transfer", id)), "");
}

// Killed between the content's rename and its row's commit.
TEST_F(World, FindsContentThatItHadNoTimeToSave) {
  const auto bytes = make_bytes(100'000, 15);
  const auto digest = crypto::digest_of(bytes);
  std::string receiving;
  push(bytes, [&](int) {
    const auto rows = store.select({.table = "receiving"}).value();
    if (!rows.empty() && Json::parse(rows.front()).at("state") == "sending") receiving = rows.front();
  });
  const auto id = Json::parse(receiving).at("transfer").get<std::string>();
  ASSERT_TRUE(store
                  .commit({{"content", digest, {{"digest", digest}}, store::Change::Kind::remove},
                           {"receiving", id, row_of(receiving)}})
                  .ok());
  restart();
  EXPECT_EQ(service->core().contents().size(), 1U);
  EXPECT_TRUE(service->core().receivings().empty());
  EXPECT_EQ(read(dir / "store/content/" / digest.substr(7)), bytes);
  EXPECT_EQ(codec::decode_received(take(topics.reply("cli-alice", "received")).back())->state, ReceivedState::complete);
}

TEST_F(World, ALostFileIsBackWhenItsPackageIsPushedAgain) {
  const auto bytes = make_bytes(100'000, 16);
  const auto digest = crypto::digest_of(bytes);
  push(bytes);
  const auto file = dir / "store/content" / digest.substr(7);
  ASSERT_TRUE(fs::remove(file)) << file;
  fs::remove(file.string() + ".zst");
  restart();
  hear(topics.up("d1", "want"), want_of(digest, "d1"));
  EXPECT_TRUE(take(topics.down("d1", "offer")).empty());
  push(bytes);
  pass(seconds(10));
  hear(topics.up("d1", "want"), want_of(digest, "d1"));
  EXPECT_EQ(take(topics.down("d1", "offer")).size(), 1U);
  EXPECT_EQ(read(file), bytes);
}

// The content is there: its encoding is made again, under another key, as its bytes may be others.
TEST_F(World, AnEncodingWhoseFileIsLostIsMadeAgain) {
  const auto bytes = make_bytes(100'000, 16);
  const auto digest = crypto::digest_of(bytes);
  push(bytes);
  hear(topics.up("d1", "want"), want_of(digest, "d1"));
  const auto before = codec::decode_offer(take(topics.down("d1", "offer")).at(0)).value();
  EXPECT_EQ(before.encoding, "zstd");
  ASSERT_TRUE(fs::remove(dir / "store/content" / (digest.substr(7) + ".zst")));
  restart();
  EXPECT_TRUE(service->core().live().empty());
  take(topics.down("d1", "frame"));
  hear(topics.up("d1", "want"), want_of(digest, "d1"));
  const auto after = codec::decode_offer(take(topics.down("d1", "offer")).at(0)).value();
  EXPECT_NE(after.envelope.content, before.envelope.content);
  EXPECT_NE(after.envelope.header, before.envelope.header);
  const auto frames = take(topics.down("d1", "frame"));
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(crypto::sealed_frame_header(frames.front())->content_id_hex, after.envelope.content);
}

// Rows of before 0002 have no offer; they are written again when their states are cleared.
TEST_F(World, ASettledSendingWithoutAnOfferIsReadAndWrittenAgain) {
  const auto bytes = make_bytes(10'000, 16);
  push(bytes);
  hear(topics.up("d1", "want"), want_of(crypto::digest_of(bytes), "d1"));
  const auto id = codec::decode_offer(take(topics.down("d1", "offer")).at(0))->transfer;
  hear(topics.up("d1", "received"), codec::encode(Received{.transfer = id, .state = ReceivedState::complete}));
  auto row = Json::parse(store.select({.table = "sending"}).value().at(0));
  row["offer"] = "";
  ASSERT_TRUE(store.commit({{"sending", id.value, row_of(row)}}).ok());
  restart();
  pass(std::chrono::hours(1));
  EXPECT_EQ(retained.at(topics.state("transfer", id.value)), "");
  restart();
  EXPECT_EQ(service->core().sending(id)->state, SendingState::complete);
}

TEST_F(World, OffersAgainToAReceiverThatSaysNothing) {
  const auto bytes = make_bytes(30'000, 10);
  push(bytes);
  hear(topics.up("d1", "want"), want_of(crypto::digest_of(bytes), "d1"));
  const auto first = take(topics.down("d1", "offer")).at(0);
  std::vector<std::string> offers;
  for (int round = 0; round < 300 && offers.empty(); ++round) {
    pass(milliseconds(100));
    offers = take(topics.down("d1", "offer"));
  }
  ASSERT_EQ(offers, std::vector{first});
  const auto id = codec::decode_offer(first)->transfer;
  hear(topics.up("d1", "received"), codec::encode(Received{.transfer = id, .state = ReceivedState::unwanted}));
  EXPECT_TRUE(service->core().live().empty());
  EXPECT_EQ(retained.at(topics.state("transfer", id.value)), "");
}

// Its sending lost the slot by silence; or the service has not heard yet that the registry knows the device.
TEST_F(World, HearsWhatArrivedAlsoBeforeItSendsAgain) {
  const auto bytes = make_bytes(30'000, 17);
  push(bytes);
  hear(topics.up("d1", "want"), want_of(crypto::digest_of(bytes), "d1"));
  const auto id = codec::decode_offer(take(topics.down("d1", "offer")).at(0))->transfer;
  for (int s = 0; s < 40 && service->core().has_slot(id); ++s) pass(seconds(1));
  ASSERT_FALSE(service->core().has_slot(id));
  hear(topics.up("d1", "received"), codec::encode(Received{.transfer = id, .ranges = {{0, 4096}, {8192, 12288}}}));
  hear(topics.up("d1", "received"), codec::encode(Received{.transfer = id, .ranges = {{4096, 8192}}}));
  EXPECT_EQ(service->core().sending(id)->acked, (ByteRanges{{0, 12288}}));
  EXPECT_EQ(service->core().sending(id)->acked_bytes, 12288);
}

TEST_F(World, SaysSoWhenItHasNoSuchContent) {
  hear(topics.up("d1", "want"), want_of(digest_a, "d1"));
  const auto offers = take(topics.down("d1", "offer"));
  ASSERT_EQ(offers.size(), 1U);
  EXPECT_EQ(codec::decode_not_offered(offers[0])->digest, digest_a);
}

TEST_F(World, TakesAnOutputFromADeviceAndGivesItToAnOperator) {
  const auto bytes = make_bytes(100'000, 11);
  const auto digest = crypto::digest_of(bytes);
  const auto announce =
      codec::encode(codec::OutputOffer{digest, static_cast<std::int64_t>(bytes.size()), "job-1", 0, 1});
  hear(topics.up("d1", "output"), announce);
  const auto wants = take(topics.down("d1", "want"));
  ASSERT_EQ(wants.size(), 1U);
  const auto want = codec::decode_want(wants[0]).value();
  write(dir / "result", bytes);
  const auto encoded = exchange::encode_beside(dir / "result", digest).value();
  const auto sealing = exchange::seal_for_one(id_of(3).value, crypto::Cipher::aes_256_gcm);
  const auto offer = exchange::make_offer(id_of(3), digest, static_cast<std::int64_t>(bytes.size()), encoded, sealing,
                                          crypto::Certificate::from_pem(want.certificate).value(), "")
                         .value();
  const auto first_frame = frames_of(offer, sealing.key, encoded.path).front();
  hear(topics.up("d2", "offer"), codec::encode(offer));  // not announced by this one
  EXPECT_EQ(take(topics.down("d2", "rejected")).size(), 1U);
  hear(topics.up("d1", "offer"), codec::encode(offer));
  auto sender =
      exchange::Outbound::open(offer, sealing.key, encoded.path, {}, {.pace = {.window_max = 16 << 10}}, now).value();
  hear(topics.up("d2", "frame"), first_frame);
  loss_percent = 10;
  send(sender, topics.up("d1", "frame"), topics.down("d1", "received"), [&](int round) {
    if (round % 50 == 10) restart();
  });
  EXPECT_EQ(read(dir / "store/content/" / digest.substr(7)), bytes);
  // Repeats of what is over.
  hear(topics.up("d1", "output"), announce);
  EXPECT_EQ(codec::decode_output_stored(take(topics.down("d1", "output")).at(0))->digest, digest);
  hear(topics.up("d1", "frame"), first_frame);
  EXPECT_EQ(codec::decode_received(take(topics.down("d1", "received")).at(0))->state, ReceivedState::complete);
  hear(topics.up("d1", "offer"), codec::encode(offer));
  EXPECT_EQ(codec::decode_received(take(topics.down("d1", "received")).at(0))->state, ReceivedState::complete);
  EXPECT_FALSE(retained.contains(topics.state("package", digest.substr(7))));
  EXPECT_EQ(ask("show", "bob", R"({"v":1,"digest":")" + digest + R"("})").at("error").at("code"), "unknown");

  EXPECT_EQ(ask("fetch", "alice", want_of(digest, "bob")).at("error").at("code"), "denied");
  Receiver fetcher(dir / "fetched", "alice");
  fetcher.offer(ask("fetch", "alice", want_of(digest, "alice")).dump());
  for (int round = 0; !service->core().live().empty(); ++round) {
    ASSERT_LT(round, 5000);
    for (const auto& frame : take(topics.reply("cli-alice", "frame"))) {
      if (!lost()) fetcher.frame(frame, now);
    }
    if (const auto answer = fetcher.answer(now)) hear(topics.service("transfer", "received", "alice"), *answer);
    pass(milliseconds(20));
  }
  EXPECT_EQ(read(fetcher.final_path()), bytes);
}

TEST_F(World, ABrokenUploadIsRefusedAndLeavesNothing) {
  const auto bytes = make_bytes(30'000, 12);
  auto upload = upload_of(bytes);
  const auto answer = ask("offer", "alice", codec::encode(upload));
  const TransferId id(answer.at("transfer").get<std::string>());
  write(dir / "upload", bytes + "!");  // not what was signed
  fs::resize_file(dir / "upload", bytes.size());
  auto wrong = bytes;
  wrong[5] = static_cast<char>(wrong[5] ^ 1);
  write(dir / "upload", wrong);
  const exchange::Encoded encoded{"identity", dir / "upload", upload.size_bytes, upload.digest};
  const auto sealing = exchange::seal_for_one(id.value, crypto::Cipher::aes_256_gcm);
  const auto offer =
      exchange::make_offer(id, upload.digest, upload.size_bytes, encoded, sealing, pki().certificate("transfer"), "")
          .value();
  ask("start", "alice", codec::encode(offer));
  auto sender = exchange::Outbound::open(offer, sealing.key, encoded.path, {}, {}, now).value();
  for (int round = 0; !sender.failed() && round < 100; ++round) {
    for (auto& frame : sender.due(now)) hear(topics.service("transfer", "frame", "alice"), frame);
    pass(milliseconds(60));
    for (const auto& ack : take(topics.reply("cli-alice", "received"))) {
      sender.received(codec::decode_received(ack).value(), now);
    }
  }
  EXPECT_TRUE(sender.failed());
  EXPECT_EQ(files_in(dir / "store/content"), 0U);
  EXPECT_EQ(files_in(dir / "store/incoming"), 0U);
  EXPECT_TRUE(service->core().contents().empty());
}

// The broker would say it again at each connection.
TEST_F(World, ARetainedRequestIsNotAnswered) {
  bus::Message message{.topic = topics.service("transfer", "list", "alice"), .payload = R"({"v":1})", .retain = true};
  message.response_topic = topics.reply("cli-alice", "answer");
  run({message});
  const auto answers = take(topics.reply("cli-alice", "answer"));
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(Json::parse(answers[0]).at("error").at("reason"), "a request is not retained");
}

TEST_F(World, BadMessagesChangeNothingAndAreAnswered) {
  push(make_bytes(10'000, 13));
  const auto commits = store.commits();
  said.clear();
  auto unsigned_upload = upload_of("content");
  unsigned_upload.name = "other";
  auto forged = upload_of("content");
  forged.release = crypto::sign_jws(crypto::PrivateKey::generate(), "fieldwork-release+jws", "{}");
  struct Case {
    std::string operation, payload, path;
  };
  const Case requests[] = {
      {"offer", "not json", ""},
      {"offer", codec::encode(unsigned_upload), "/release"},
      {"offer", codec::encode(forged), "/release"},
      {"start", "{}", "/v"},
      {"frame", "FW", ""},
      {"show", R"({"v":2,"digest":"x"})", "/v"},
      {"show", R"({"v":1,"digest":"x"})", "/digest"},
      {"list", R"({"v":1,"more":1})", "/more"},
      {"fetch", want_of(digest_a, "d1"), "/certificate"},
      {"fetch", want_of(digest_a, "alice"), "/digest"},
      {"received", codec::encode(Received{.transfer = id_of(1)}), "/transfer"},
      {"nonsense", "{}", ""},
  };
  for (const auto& one : requests) {
    const auto error = codec::decode_error(ask(one.operation, "alice", one.payload));
    ASSERT_TRUE(error) << one.operation;
    EXPECT_EQ(error->path, one.path) << one.operation << ": " << error->reason;
  }
  const Case messages[] = {
      {"want", std::string(40'000, '['), ""},
      {"want", want_of(digest_a, "d2"), "/certificate"},
      {"want", want_of(digest_a, "alice"), "/certificate"},
      {"received", "{", ""},
      {"offer", "[]", ""},
      {"output", R"({"v":1})", "/digest"},
      {"frame", "", ""},
  };
  for (const auto& one : messages) {
    hear(topics.up("d1", one.operation), one.payload);
    const auto answers = take(topics.down("d1", "rejected"));
    ASSERT_EQ(answers.size(), 1U) << one.operation;
    const auto rejected = codec::decode_rejected(answers[0]).value();
    EXPECT_EQ(rejected.channel, one.operation);
    EXPECT_EQ(rejected.path, one.path) << one.operation << ": " << rejected.reason;
  }
  // Answers go to reply topics alone, and not to somebody else.
  for (const char* topic : {"fieldwork/v1/device/d1/down/command", "other/reply/x/y", "fieldwork/v1/reply/+/y",
                            "fieldwork/v1/reply/cli-bob-1/y"}) {
    run({bus::Message{
        .topic = topics.service("transfer", "list", "alice"), .payload = R"({"v":1})", .response_topic = topic}});
  }
  EXPECT_TRUE(said.empty());
  EXPECT_EQ(store.commits(), commits);
}

// The core begins before the broker is found; time until then is nobody's silence.
TEST_F(World, AStartWithoutTheBrokerEndsNoUpload) {
  const auto bytes = make_bytes(10'000, 19);
  const auto id = ask("offer", "alice", codec::encode(upload_of(bytes))).at("transfer");
  engine.reset();
  service.reset();
  service = std::make_unique<TransferService>("fieldwork/v1", settings_here(), runtime::Post{});
  engine = std::make_unique<runtime::Engine>(*service, store, *this);
  ASSERT_TRUE(engine->load(now).ok());
  for (int i = 0; i < 3; ++i) pass(std::chrono::minutes(20));
  run({runtime::Connected{}});
  pass(seconds(10));
  EXPECT_EQ(ask("offer", "alice", codec::encode(upload_of(bytes))).at("transfer"), id);
}

TEST_F(World, BigContentIsVerifiedOnTheWorkersThread) {
  std::mutex mutex;
  std::condition_variable came;
  std::deque<runtime::Task> tasks;
  engine.reset();
  service.reset();
  auto settings = settings_here();
  settings.inline_bytes_max = 0;
  service =
      std::make_unique<TransferService>("fieldwork/v1", std::move(settings), runtime::Post{[&](runtime::Task task) {
                                          const std::lock_guard lock(mutex);
                                          tasks.push_back(std::move(task));
                                          came.notify_one();
                                        }});
  engine = std::make_unique<runtime::Engine>(*service, store, *this);
  ASSERT_TRUE(engine->load(now).ok());
  const auto bytes = make_bytes(200'000, 14);
  push(bytes, [&](int) {
    std::unique_lock lock(mutex);
    came.wait_for(lock, std::chrono::milliseconds(1), [&] { return !tasks.empty(); });  // the worker is another thread
    for (; !tasks.empty(); tasks.pop_front()) run({tasks.front()});
  });
  EXPECT_EQ(service->core().contents().size(), 1U);
  service.reset();
}

TEST_F(World, AContentKeepsItsNamesOverARestartAndAVersionItsContent) {
  const auto bytes = make_bytes(20'000, 16), other = make_bytes(20'000, 17);
  const auto digest = crypto::digest_of(bytes);
  push(bytes);
  EXPECT_EQ(ask("offer", "alice", codec::encode(upload_of(bytes, "2"))).at("state"), "stored");
  EXPECT_EQ(ask("offer", "alice", codec::encode(upload_of(other, "2"))).at("error").at("code"), "conflict");
  const auto state = retained.at(topics.state("package", digest.substr(7)));
  EXPECT_EQ(Json::parse(state).at("names").dump(), R"([{"name":"demo","version":"1"},{"name":"demo","version":"2"}])");
  restart();
  for (const char* version : {"1", "2"}) {
    const auto shown = ask("show", "bob", Json{{"v", 1}, {"name", "demo"}, {"version", version}}.dump());
    EXPECT_EQ(shown.at("package").at("digest"), digest);
  }
  EXPECT_EQ(ask("show", "bob", R"({"v":1,"name":"demo","version":"3"})").at("error").at("path"), "/name");
  EXPECT_EQ(ask("offer", "alice", codec::encode(upload_of(other, "2"))).at("error").at("code"), "conflict");
  pass(seconds(1));
  EXPECT_EQ(retained.at(topics.state("package", digest.substr(7))), state);
}

TEST_F(World, ListsPageByPage) {
  std::set<std::string> pushed, listed;
  for (unsigned i = 0; i < 7; ++i) {
    const auto bytes = make_bytes(5000, 20 + i);
    pushed.insert(crypto::digest_of(bytes));
    push(
        bytes, [](int) {}, std::to_string(i));
  }
  Json question{{"v", 1}, {"limit", 3}};
  std::vector<std::size_t> sizes;
  while (true) {
    const auto page = ask("list", "bob", question.dump());
    sizes.push_back(page.at("items").size());
    for (const auto& item : page.at("items")) listed.insert(item.at("digest"));
    if (!page.contains("next")) break;
    question["after"] = page.at("next");
    if (sizes.size() == 1) restart();  // a cursor outlives us
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{3, 3, 1}));
  EXPECT_EQ(listed, pushed);
  for (const char* after : {"x", "1", "1.", "-1.zz"}) {
    question["after"] = after;
    EXPECT_EQ(ask("list", "bob", question.dump()).at("error").at("path"), "/after") << after;
  }
}

TEST_F(World, ADeviceThatIsRefusedGetsNotOneFrameMore) {
  const auto bytes = make_bytes(400'000, 18);
  push(bytes);
  hear(topics.up("d1", "want"), want_of(crypto::digest_of(bytes), "d1"));
  EXPECT_FALSE(take(topics.down("d1", "frame")).empty());
  stands("d1", Lifecycle::refused);
  take(topics.down("d1", "frame"));
  hear(topics.up("d1", "want"), want_of(crypto::digest_of(bytes), "d1"));
  EXPECT_TRUE(codec::decode_not_offered(take(topics.down("d1", "offer")).back()));
  for (int i = 0; i < 100; ++i) pass(seconds(1));
  EXPECT_TRUE(take(topics.down("d1", "frame")).empty());
  restart();  // which says again that they are ready
  hear(topics.state("device", "d1"), "");
  hear(topics.up("d1", "want"), want_of(crypto::digest_of(bytes), "d1"));
  EXPECT_EQ(take(topics.down("d1", "rejected")).size(), 1U);
}

TEST_F(World, AnOutputOverTheQuotaIsRefusedForGoodAndPrunedOnesLeaveNoFile) {
  restart({.content_bytes_max = 1000, .device_outputs_max = 1});
  const auto announce = [&](const std::string& text, std::int64_t size) {
    hear(topics.up("d1", "output"), codec::encode(codec::OutputOffer{crypto::digest_of(text), size, "j", 0, 1}));
  };
  announce("a", 1001);
  const auto refused = codec::decode_output_stored(take(topics.down("d1", "output")).at(0)).value();
  EXPECT_NE(refused.refused.find("1000 bytes"), std::string::npos);
  EXPECT_NE(ask("fetch", "alice", want_of(digest_a, "alice")).dump().find("was refused"), std::string::npos);

  write(dir / "result", "b");
  const auto digest = crypto::digest_of("b");
  announce("b", 1);
  EXPECT_NE(ask("fetch", "alice", want_of(digest, "alice")).dump().find("still on d1"), std::string::npos);
  const exchange::Encoded encoded{"identity", dir / "result", 1, digest};
  const auto sealing = exchange::seal_for_one(id_of(3).value, crypto::Cipher::aes_256_gcm);
  const auto offer =
      exchange::make_offer(id_of(3), digest, 1, encoded, sealing, pki().certificate("transfer"), "").value();
  hear(topics.up("d1", "offer"), codec::encode(offer));
  hear(topics.up("d1", "frame"), frames_of(offer, sealing.key, encoded.path).front());
  pass(milliseconds(60));
  EXPECT_EQ(files_in(dir / "store/content"), 1U);
  announce("c", 1);
  EXPECT_NE(codec::decode_output_stored(take(topics.down("d1", "output")).back())->refused, "");
  pass(std::chrono::hours(24 * 31));
  EXPECT_EQ(files_in(dir / "store/content"), 0U);
  EXPECT_TRUE(store.select({.table = "content"}).value().empty());
}

// The device says so until it hears this answer; each drop counts once.
TEST_F(World, AnOutputThatItsDeviceDroppedIsAnsweredAndCountedOnce) {
  const auto counted = [] {
    const auto text = metrics::text();
    const auto at = text.find("\nfieldwork_device_outputs_dropped_total ");
    return at == std::string::npos ? 0.0 : std::stod(text.substr(text.find(' ', at)));
  };
  const auto before = counted();
  const codec::OutputOffer notice{digest_a, 10, "j", 0, 1, "no room"};
  for (int i = 0; i < 2; ++i) {
    hear(topics.up("d1", "output"), codec::encode(notice));
    EXPECT_EQ(codec::decode_output_stored(take(topics.down("d1", "output")).at(0))->refused, "no room");
  }
  EXPECT_EQ(counted(), before + 1);
  EXPECT_NE(ask("fetch", "alice", want_of(digest_a, "alice")).dump().find("d1 dropped the output: no room"),
            std::string::npos);
}

}  // namespace
}  // namespace fieldwork::transfer
