// Traffic: made-up agencies' events as decoded frames, and a slow second opinion on what they come to.
//
// Everything follows from a seed. A Traffic makes frames for the accounts 0..count-1 of one tenant; a Ledger keeps every
// event of some accounts and computes their numbers the obvious way (rating-model 3.3 to 3.8, default rules, violations
// that are open), so that a fast wrong engine shows.
#ifndef AMPEL_BENCH_TRAFFIC_H
#define AMPEL_BENCH_TRAFFIC_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

// A function and a struct may share a name in C; C++ warns that one hides the other's constructor.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "engine/engine.h"
#include "engine/load.h"
#include "proto/hash.h"
}
#pragma GCC diagnostic pop

namespace ampel_bench {

constexpr int64_t start_ms = INT64_C(1790858096789);

class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t next() {
        state_ += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = (state_ ^ (state_ >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
    }
    uint32_t below(uint32_t bound) {
        return static_cast<uint32_t>((next() >> 32) * bound >> 32);
    }
    double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }

private:
    uint64_t state_;
};

// Ranks 0..count-1 with weights 1 / (rank + 1)^0.99 (Gray et al., Quickly generating billion-record synthetic databases).
class Zipf {
public:
    explicit Zipf(uint32_t count) : count_(count) {
        for (uint32_t i = 0; i < count; i++) zeta_ += std::pow(i + 1.0, -theta);
        double zeta2 = 1 + std::pow(2.0, -theta);
        eta_ = (1 - std::pow(2.0 / count, 1 - theta)) / (1 - zeta2 / zeta_);
    }
    uint32_t next(Random &random) const {
        double u = random.unit(), uz = u * zeta_;
        if (uz < 1) return 0;
        if (uz < 1 + std::pow(0.5, theta)) return 1;
        auto rank = static_cast<uint32_t>(count_ * std::pow(eta_ * u - eta_ + 1, 1 / (1 - theta)));
        return rank < count_ ? rank : count_ - 1;
    }

private:
    static constexpr double theta = 0.99;
    uint32_t count_;
    double zeta_ = 0, eta_ = 0;
};

// One event of traffic; violation 0 is an order, else its number.
struct Item {
    uint32_t account;
    uint32_t violation;
    int64_t at_ms;
    uint32_t count;
    uint8_t policy;
};

constexpr uint32_t policies_count = 13;

// The texts of an account: as long as a marketplace's own ids are.
inline void account_texts(uint32_t account, char seller[14], char marketplace[14]) {
    static const char *const places[] = {"A1PA6795UKMFR9", "A13V1IB3VIYZZH", "APJ6JRA9NG5V42",
                                         "A1RKKUPIHCS9HS", "A1F83G8C2ARO7P"};
    std::memcpy(seller, "A0000000000000", 14);
    for (uint32_t left = account / 5, place = 13; left > 0; left /= 10, place--)
        seller[place] = static_cast<char>('0' + left % 10);
    std::memcpy(marketplace, places[account % 5], 14);
}

inline ampel_text tenant_text() { return {"agency", 6}; }

// The columns of one frame with all that they point at; it is filled again and again.
class FrameStore {
public:
    FrameStore() = default;
    FrameStore(FrameStore &&) = default;
    FrameStore(const FrameStore &) = delete;
    FrameStore &operator=(const FrameStore &) = delete;

    void begin() {
        slot_of_.clear();
        for (auto *column : {&account_, &type_, &at_, &count_, &policy_, &extras_offset_, &extras_}) column->clear();
        texts_.clear();
        hashes_.clear();
        offset_put();
    }

    void push(const Item &item) {
        auto found = slot_of_.try_emplace(item.account, static_cast<uint32_t>(hashes_.size()));
        if (found.second) account_put(item.account);
        put(account_, found.first->second);
        put(at_, item.at_ms);
        put(count_, item.count);
        type_.push_back(item.violation > 0 ? AMPEL_EVENT_VIOLATION : AMPEL_EVENT_ORDER);
        policy_.push_back(item.policy);
        if (item.violation > 0) id_put(item.violation);
        offset_put();
    }

    // Valid until begin. sequence 0: no producer, so that nothing is recognised as a duplicate.
    const ampel_frame &frame(uint64_t sequence, int64_t stamp_ms) {
        accounts_.clear();
        for (size_t i = 0; i < hashes_.size(); i++)
            accounts_.push_back({hashes_[i], {texts_.data() + 28 * i, 14}, {texts_.data() + 28 * i + 14, 14}});
        frame_ = {};
        frame_.stamp_ms = frame_.sent_at_ms = stamp_ms;
        frame_.tenant = tenant_text();
        if (sequence > 0) frame_.producer = {"orders", 6};
        frame_.sequence = frame_.position = sequence;
        frame_.accounts_count = static_cast<uint32_t>(accounts_.size());
        frame_.accounts = accounts_.data();
        frame_.events_count = static_cast<uint32_t>(type_.size());
        frame_.account = account_.data();
        frame_.type = type_.data();
        frame_.at = at_.data();
        frame_.count = count_.data();
        frame_.policy = policy_.data();
        frame_.extras_offset = extras_offset_.data();
        frame_.extras = extras_.data();
        frame_.extras_size = static_cast<uint32_t>(extras_.size());
        return frame_;
    }

private:
    template <typename T> static void put(std::vector<uint8_t> &column, T value) {
        auto bytes = reinterpret_cast<const uint8_t *>(&value);
        column.insert(column.end(), bytes, bytes + sizeof value);
    }
    void offset_put() { put(extras_offset_, static_cast<uint32_t>(extras_.size())); }
    void account_put(uint32_t account) {
        char texts[28];
        account_texts(account, texts, texts + 14);
        hashes_.push_back(ampel_hash_account(tenant_text(), {texts, 14}, {texts + 14, 14}));
        texts_.insert(texts_.end(), texts, texts + 28);
    }
    // "V" and nine hex digits that spread, so that ids do not come in their order.
    void id_put(uint32_t violation) {
        uint8_t bytes[13] = {AMPEL_EXTRA_ID, 10, 0, 'V'};
        uint64_t mixed = violation * UINT64_C(0x9e3779b97f4a7c15);
        for (uint32_t i = 0; i < 9; i++) bytes[4 + i] = static_cast<uint8_t>("0123456789abcdef"[mixed >> (28 + 4 * i) & 15]);
        extras_.insert(extras_.end(), bytes, bytes + sizeof bytes);
    }

    std::unordered_map<uint32_t, uint32_t> slot_of_;
    std::vector<uint8_t> account_, type_, at_, count_, policy_, extras_offset_, extras_;
    std::vector<char> texts_;
    std::vector<uint64_t> hashes_;
    std::vector<ampel_frame_account> accounts_;
    ampel_frame frame_ = {};
};

inline std::string violation_id(uint32_t violation) {
    uint64_t mixed = violation * UINT64_C(0x9e3779b97f4a7c15);
    std::string id = "V";
    for (uint32_t i = 0; i < 9; i++) id += "0123456789abcdef"[mixed >> (28 + 4 * i) & 15];
    return id;
}

// The second opinion, over every account whose number divides by `every`.
class Ledger {
public:
    Ledger(const ampel_rules &rules, uint32_t every) : rules_(rules), every_(every) {}

    void note(const Item &item) {
        if (item.account % every_ == 0) items_[item.account].push_back(item);
    }

    // How many accounts were compared; stops the program where one differs.
    size_t check(const ampel_engine *engine) const {
        for (const auto &[account, items] : items_) check_one(engine, account, items);
        return items_.size();
    }

private:
    struct Violation {
        int64_t at_ms;
        std::string id;
        int8_t severity;
    };

    void check_one(const ampel_engine *engine, uint32_t account, const std::vector<Item> &items) const {
        char texts[28];
        account_texts(account, texts, texts + 14);
        ampel_text seller = {texts, 14}, marketplace = {texts + 14, 14};
        uint32_t slot = ampel_engine_account_find(engine, ampel_hash_account(tenant_text(), seller, marketplace),
                                                  tenant_text(), seller, marketplace);
        if (slot == AMPEL_SLOT_NONE) fail(account, "is unknown");
        ampel_numbers told;
        ampel_engine_numbers(engine, slot, &told);
        int64_t now_ms = ampel_engine_now(engine);
        uint64_t orders = 0;
        std::vector<Violation> by_policy[policies_count];
        for (const Item &item : items) {
            int64_t age_days = now_ms / AMPEL_DAY_MS - item.at_ms / AMPEL_DAY_MS;
            if (item.violation == 0 && age_days < AMPEL_WINDOW_DAYS_MAX) orders += item.count;
            if (item.violation > 0)
                by_policy[item.policy].push_back({item.at_ms, violation_id(item.violation),
                                                  rules_.policies[item.policy].severity});
        }
        if (orders != told.orders) fail(account, "has other orders");
        check_violations(account, now_ms, orders, by_policy, told);
    }

    void check_violations(uint32_t account, int64_t now_ms, uint64_t orders,
                          std::vector<Violation> (&by_policy)[policies_count], const ampel_numbers &told) const {
        int64_t deducted = 0;
        uint32_t criticals = 0, caps[AMPEL_CAP_GROUPS_MAX] = {};
        for (uint32_t policy = 0; policy < policies_count; policy++) {
            for (const Violation &v : by_policy[policy]) {
                uint32_t rank = 0;
                for (const Violation &u : by_policy[policy]) {
                    bool before = u.at_ms != v.at_ms ? u.at_ms < v.at_ms : u.id < v.id;
                    rank += before && v.at_ms - u.at_ms < AMPEL_WINDOW_MS;
                }
                if (now_ms >= v.at_ms + AMPEL_WINDOW_MS) continue;
                if (v.severity == AMPEL_SEVERITY_CRITICAL)
                    criticals++;
                else
                    deducted += rules_.severity_points[v.severity] * (INT64_C(1) << std::min(rank, 4u));
                uint8_t group = rules_.policies[policy].group;
                if (group != AMPEL_CAP_GROUP_NONE) caps[group]++;
            }
        }
        int64_t score = 200 + 4 * static_cast<int64_t>(orders / 200) - deducted;
        score = criticals > 0 ? 0 : std::clamp<int64_t>(score, 0, 1000);
        bool reached = false;
        for (uint32_t i = 0; i < rules_.cap_groups_count; i++) reached |= caps[i] >= rules_.cap_groups[i].limit;
        if (deducted != told.deducted || criticals != told.criticals) fail(account, "has other deductions");
        if (score != told.score) fail(account, "has another score");
        if (reached != (told.risk == AMPEL_RISK_IMMEDIATE)) fail(account, "is at another risk");
    }

    [[noreturn]] static void fail(uint32_t account, const char *how) {
        std::fprintf(stderr, "wrong answer: account %u %s\n", account, how);
        std::abort();
    }

    ampel_rules rules_;
    uint32_t every_;
    std::unordered_map<uint32_t, std::vector<Item>> items_;
};

} // namespace ampel_bench

#endif
