#!lua name=ampel_peer
-- One account's events of a batch: merged into hashes, then its rating from its running sum of orders and, where a violation
-- changed, from all its violations.
-- KEYS: o:N (day -> "added:told"), v:N (id -> "rev:at:policy:severity:points"), s:N (id -> "at:state:cleared"),
--       r:N "score status risk orders order_points deducted infringement restricted criticals"
-- ARGS: as_of, today, then per event type, at, day, rev, n, id, policy, severity, points, state
local WINDOW, CELL = 15552000000, 16777216
local FIELDS = 10
local BASE, LADDER = {[0] = 0, 2, 4, 8}, {[0] = 1, 2, 4, 8, 16}

local function numbers(text)
    local out = {}
    for word in string.gmatch(text, '[^:]+') do out[#out + 1] = tonumber(word) end
    return out
end

local function greater(a, b)
    for i = 1, #a do
        if a[i] ~= b[i] then return a[i] > b[i] end
    end
    return false
end

local function counted(cell)
    return cell[2] >= 0 and cell[2] % CELL or math.min(cell[1], CELL - 1)
end

-- What it adds to the orders of the window.
local function merge_orders(key, args, first, today)
    local day, n = args[first + 2], tonumber(args[first + 4])
    local cell = numbers(redis.call('HGET', key, day) or '0:-1')
    local before = counted(cell)
    if tonumber(args[first]) == 0 then cell[1] = cell[1] + n else cell[2] = math.max(cell[2], tonumber(args[first + 3]) * CELL + n) end
    redis.call('HSET', key, day, string.format('%.0f:%.0f', cell[1], cell[2]))
    return tonumber(day) > today - 180 and counted(cell) - before or 0
end

local function merge_violation(keys, args, first)
    local id = args[first + 5]
    if tonumber(args[first]) == 2 then
        local new = {tonumber(args[first + 3]), tonumber(args[first + 1]), tonumber(args[first + 6]), tonumber(args[first + 7]),
                     tonumber(args[first + 8])}
        local old = redis.call('HGET', keys[2], id)
        if not old or greater(new, numbers(old)) then redis.call('HSET', keys[2], id, string.format('%.0f:%.0f:%.0f:%.0f:%.0f', unpack(new))) end
    else
        local at, state = tonumber(args[first + 1]), tonumber(args[first + 9])
        local old = numbers(redis.call('HGET', keys[3], id) or '-1:-1:1e300')
        local cleared = state >= 5 and math.min(old[3], at) or old[3]
        if greater({at, state}, {old[1], old[2]}) then old[1], old[2] = at, state end
        redis.call('HSET', keys[3], id, string.format('%.0f:%.0f:%.0f', old[1], old[2], cleared))
    end
end

-- What violations come to: deducted, infringement, restricted, criticals.
local function burden(keys, as_of, policies)
    local list, states = {}, {}
    local found = redis.call('HGETALL', keys[3])
    for i = 1, #found, 2 do states[found[i]] = numbers(found[i + 1]) end
    found = redis.call('HGETALL', keys[2])
    for i = 1, #found, 2 do
        local v = numbers(found[i + 1])
        local state = states[found[i]] or {0, 0, 1e300}
        local policy = policies[v[3] + 1]
        list[#list + 1] = {id = found[i], at = v[2], policy = v[3], severity = v[4] >= 0 and v[4] or policy[2], group = policy[1],
                           points = v[5], state = state[2], cleared = state[3]}
    end
    local deducted, criticals, caps = 0, 0, {[0] = 0, 0, 0}
    for _, v in ipairs(list) do
        if v.at > as_of - WINDOW then
            local rank = 0
            for _, u in ipairs(list) do
                if u.policy == v.policy and u.severity > 0 and (u.at < v.at or (u.at == v.at and u.id < v.id)) and v.at - u.at < WINDOW
                    and not (u.state >= 5 and u.cleared <= v.at) then rank = rank + 1 end
            end
            local critical = v.severity == 4 and v.points < 0
            local points = v.points >= 0 and v.points or (critical and 0 or BASE[v.severity] * LADDER[math.min(rank, 4)])
            if v.state < 4 then
                deducted = deducted + points
                if critical then criticals = criticals + 1 end
            end
            if v.severity > 0 and v.state < 5 then caps[v.group] = caps[v.group] + 1 end
        end
    end
    return deducted, caps[1], caps[2], criticals
end

local function rate(key, orders, deducted, infringement, restricted, criticals)
    local order_points = 4 * math.floor(orders / 200)
    local score = math.max(0, math.min(1000, 200 + order_points - deducted))
    if criticals > 0 then score = 0 end
    local status = score >= 200 and 'green' or (score >= 100 and 'yellow' or 'red')
    local risk = (infringement >= 5 or restricted >= 2) and 'immediate' or (score < 100 and 'eligible' or (score < 200 and 'at_risk' or 'none'))
    redis.call('SET', key, string.format('%.0f %s %s %.0f %.0f %.0f %.0f %.0f %.0f', score, status, risk, orders, order_points, deducted,
                                         infringement, restricted, criticals))
end

local POLICIES = {@policies@} -- cap group, severity
redis.register_function('ampel_apply', function(keys, args)
    local as_of, today = tonumber(args[1]), tonumber(args[2])
    local kept = redis.call('GET', keys[4]) or '200 green none 0 0 0 0 0 0'
    local orders, deducted, infringement, restricted, criticals = string.match(kept, '%S+ %S+ %S+ (%S+) %S+ (%S+) (%S+) (%S+) (%S+)')
    orders, deducted, infringement, restricted, criticals =
        tonumber(orders), tonumber(deducted), tonumber(infringement), tonumber(restricted), tonumber(criticals)
    local violations = false
    for first = 3, #args, FIELDS do
        local kind = tonumber(args[first])
        if kind <= 1 then orders = orders + merge_orders(keys[1], args, first, today)
        elseif kind <= 3 then
            merge_violation(keys, args, first)
            violations = true
        end
    end
    if violations then deducted, infringement, restricted, criticals = burden(keys, as_of, POLICIES) end
    rate(keys[4], orders, deducted, infringement, restricted, criticals)
    return 1
end)
